//! A binary with a pass of its own, as users outside build one: what it does reaches the report, and so does what writing
//! the result takes.
//!
//! This test is that binary: without a harness, it runs itself again with the arguments of a command line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::process::{Command, ExitCode};

use edgesmith::main_with;
use edgesmith_ir::op::{HardSigmoid, HardSwish, Mul};
use edgesmith_ir::{Model, OpId, OpKind};
use edgesmith_onnx_proto::{
    AttributeProto, AttributeType, DimensionProto, DimensionValue, GraphProto, Message, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, RuleOptions, Ruled};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleInfo, RuleName, RuleSet, drive};

/// Says that the process is the command line.
const CHILD: &str = "EDGESMITH_OWN_PASS";
/// ONNX's number for f32.
const FLOAT: i32 = 1;

/// x · HardSigmoid(x) with 1/6 and 1/2 is HardSwish(x), which opset 14 brought.
struct FuseHardSwish;

impl Rewrite for FuseHardSwish {
    const NAME: RuleName = "fuse-hard-swish";
    const SUMMARY: &'static str = "x times its HardSigmoid";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let product = cx.op::<Mul>(root)?;
        let gate = cx.producer::<HardSigmoid>(product.b())?;
        if gate.x() != product.a() || (gate.alpha.0 - 1.0 / 6.0).abs() > 1e-6 || gate.beta.0 != 0.5 {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let result = patch.insert(HardSwish {}, [Some(gate.x().into())]);
        patch.redefine(product.c(), result);
        Ok(patch)
    }
}

struct Swishes {
    options: RuleOptions<Self>,
}

impl Ruled for Swishes {
    fn all_rules() -> RuleSet {
        RuleSet::new().with(FuseHardSwish)
    }
}

impl PassSpec for Swishes {
    const INFO: PassInfo = PassInfo {
        name: "swishes",
        summary: "finds HardSwish",
        fidelity: Fidelity::ROUNDING,
        needs: Needs { calibration: false, static_shapes: false },
        docs: "",
    };
    type Options = RuleOptions<Self>;

    fn new(options: Self::Options) -> Self {
        Self { options }
    }
}

impl Pass for Swishes {
    fn rules(&self) -> Vec<RuleInfo> {
        self.options.catalogue()
    }
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &self.options.rule_set(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}

/// (x + (a + b)) times its HardSigmoid, at opset 9 and IR version 3, which lists initializers among the inputs.
fn model() -> Vec<u8> {
    let value = |name: &str| {
        let dim = DimensionProto { value: Some(DimensionValue::Value(2)), ..Default::default() };
        let tensor = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim: vec![dim] }) };
        let ty = TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() };
        ValueInfoProto { name: name.into(), r#type: Some(ty), ..Default::default() }
    };
    let constant = |name: &str, data: [f32; 2]| TensorProto {
        name: name.into(),
        dims: vec![2],
        data_type: Some(FLOAT),
        float_data: data.to_vec(),
        ..Default::default()
    };
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        name: format!("make_{output}"),
        op_type: operator.into(),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    };
    let attribute = |name: &str, f: f32| AttributeProto {
        name: name.into(),
        r#type: Some(AttributeType::Float.number()),
        f: Some(f),
        ..Default::default()
    };
    let mut gate = node("HardSigmoid", &["t"], "g");
    gate.attribute = vec![attribute("alpha", 1.0 / 6.0), attribute("beta", 0.5)];
    let graph = GraphProto {
        name: "g".into(),
        node: vec![node("Add", &["a", "b"], "s"), node("Add", &["x", "s"], "t"), gate, node("Mul", &["t", "g"], "y")],
        input: ["x", "a", "b"].map(value).into(),
        output: vec![value("y")],
        initializer: vec![constant("a", [1.0, 2.0]), constant("b", [0.5, -0.25])],
        ..Default::default()
    };
    let opset = OperatorSetIdProto { version: 9, ..Default::default() };
    ModelProto { ir_version: Some(3), graph: Some(graph), opset_import: vec![opset], ..Default::default() }
        .encode_to_vec()
}

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        return main_with(|registry| {
            registry.pass::<Swishes>();
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("m.onnx"), model()).unwrap();
    std::fs::write(place("p.toml"), "[[pass]]\nuse = \"canonicalization\"\n[[pass]]\nuse = \"swishes\"\n").unwrap();
    let run = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .args(["optimize", &place("m.onnx"), "--pipeline", &place("p.toml"), "--report", &place("r.json")])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!((run.status.code(), &*err), (Some(0), ""), "{out}");
    assert!(out.contains("fuse-hard-swish") && out.contains("verdict: checked"), "{out}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(place("r.json")).unwrap()).unwrap();
    let remarks: Vec<&str> =
        json["output_remarks"].as_array().unwrap().iter().map(|remark| remark["message"].as_str().unwrap()).collect();
    let [opset, version] = remarks[..] else { panic!("{remarks:?}") };
    assert!(opset.starts_with("the opset is raised from 9 to 14: HardSwish"), "{opset}");
    assert!(version.starts_with("the IR version is raised from 3 to 4"), "{version}");
    for remark in remarks {
        assert!(out.contains(remark), "{remark} is not in:\n{out}");
    }
    ExitCode::SUCCESS
}
