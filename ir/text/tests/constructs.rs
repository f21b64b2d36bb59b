//! Every construct of the text, written by hand: read, printed, read again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(clippy::needless_raw_string_hashes, reason = "texts of models, all alike")]

mod support;

use edgesmith_ir::{Attribute, Op, OpKind};
use support::{fixed_point, read};

#[test]
fn a_plain_graph() {
    let model = read(
        r#"
        g (float[N,3,8,8] x) => (float[N,4,8,8] y)
        <float[4,3,3,3] w = ["init": "uniform(seed=1, lo=-1, hi=1)"], float[4] b = {0.5, -0.0, inf, 1e-45}>
        {
          [conv1] c = Conv <pads = [1, 1, 1, 1]> (x, w, b)   # float[N,4,8,8]
          # just a remark, float though it may be
          y = Relu (c)
        }"#,
    );
    let printed = fixed_point(&model);
    assert_eq!(
        printed.text.lines().skip(1).collect::<Vec<_>>().join("\n"),
        r#"g (float[N,3,8,8] x) => (float[N,4,8,8] y)
<
  float[4,3,3,3] w = ["hash": "?"],
  float[4] b = {0.5, -0.0, inf, 1e-45}
>
{
  [conv1] c = Conv <pads = [1, 1, 1, 1]> (x, w, b)  # float[N,4,8,8]
  y = Relu (c)
}"#
        .replace('?', printed.weights.keys().next().unwrap())
    );
    assert_eq!(printed.weights.len(), 1);
    let graph = model.main_graph().unwrap();
    assert_eq!(graph.ops().map(|(_, op)| op.op().kind()).collect::<Vec<_>>(), [OpKind::Conv, OpKind::Relu]);
}

#[test]
fn header_and_pragmas_of_the_model() {
    let printed = fixed_point(&read(
        r#"<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1], producer_name: "a \"quoted\" name",
            producer_version: "2.1", domain: "org", model_version: 3, doc_string: "line one
line two", metadata_props: ["k": "v", "": ""]>
        #: model external_data, opaque = "\x00\xff\n"
        #: symbol N min = 1, max = 64, divisor = 2
        #: symbol "p2o.D.0" min = 1
        #: equal "N" = "2*M"
        #: equal 3 = "`a b` + 1"
        #: entry encoder
        encoder (float[N,"2*M + 1","p2o.D.0",?,-1] x, float s, float[] any) => (x) {
        }"#,
    ));
    assert!(printed.text.contains("line one\nline two"), "{}", printed.text);
    assert!(printed.text.contains(r#"opaque = "\x00\xff\n""#), "{}", printed.text);
    assert!(printed.text.contains(r#"float[N,"2*M + 1","p2o.D.0",?,-1] x"#), "{}", printed.text);
}

#[test]
fn names_that_need_quotes() {
    fixed_point(&read(
        r#""my graph/1" (float[N] "x:0", float[N] "float", float[N] "größe") => ("out put", "seq")
        { ["node / 1"] "out put", = Split <num_outputs = 2> ("x:0")
          "seq" = Add ("float", "größe") }"#,
    ));
}

#[test]
fn defaults_and_constants_of_every_type() {
    let model = read(
        r#"g (float[2] s = {1.0, 2.0}, float[N] t, int8 q = {-3}) => (t, s)
        <float[2] t = {3.0, nan}, double d = {-0.0}, float16[2] h = {15360, 64512}, bfloat16 b = {16256}, bool[2] m = {0, 1},
         string[2] names = {"a\"b\\", ""}, uint64 u = {18446744073709551615}, int64 i = {-9223372036854775808},
         int4[3] n = {-8, 7, 1}, uint2[5] p = {0, 1, 2, 3, 1}, float8e4m3fn[1] f8 = {255}, float[0,3] none = {},
         complex64[2] c = ["init": "zeros"], float[9] big = ["init": "iota"], float4e2m1[3] f4 = ["init": "splat(0x22)"],
         int32[1000] many = ["init": "splat(-7)"], float16[20] half = ["init": "splat(0.1)"],
         float[20] odd = ["init": "splat(0x7fc00001)"], float6e3m2[0] nothing = {}>
        {}"#,
    );
    let printed = fixed_point(&model);
    for part in [
        "float[2] s = {1.0, 2.0}, float[N] t, int8 q = {-3}",
        "float[2] t = {3.0, nan}",
        r#"string[2] names = {"a\"b\\", ""}"#,
        "int4[3] n = {-8, 7, 1}",
        "uint2[5] p = {0, 1, 2, 3, 1}",
        r#"int32[1000] many = ["init": "splat(-7)"]"#,
        r#"float16[20] half = ["init": "splat(0.099975586)"]"#,
        r#"float[20] odd = ["init": "splat(0x7fc00001)"]"#,
    ] {
        assert!(printed.text.contains(part), "{part}\n{}", printed.text);
    }
}

#[test]
fn types_of_values() {
    fixed_point(&read(
        r#"g (seq(float[N]) a, optional(seq(tensor_is_no_type)) b) => () {}"#.replace("tensor_is_no_type", "int64").as_str(),
    ));
    fixed_point(&read(
        "g (map(int64, float[N]) a, sparse_tensor(float[2,?]) b, opaque(c) c, opaque(a.b, d) d, opaque() e, u) => (u) {}",
    ));
    let odd = read(
        r#"g (a, b, float[N] c) => (a)
        #: value a type = seq(?)
        #: value b type = opaque("a b", "c"), declared = map(string, ?)
        #: value c declared = float[3]
        { d = custom.Make (a)   # float[N,3]
          #: value d declared = optional(?), doc = "made\nhere", metadata = ["k": "v"], pinned
          e, "", f = custom.Make3 (a, "", d)   # ?, seq(float) 
          = custom.Sink (e, f)
          h = custom.Last <a : ints = []> () }"#,
    );
    fixed_point(&odd);
}

#[test]
fn attributes_of_every_kind() {
    let model = read(
        r#"g (x) => (y) {
          y = a.b.Everything <i = 1, f = 1.5, inf_ = -inf, nan_ = nan, s = "q\"\\", ii = [1, -2], ff = [1.0, inf], ss = ["a", ""],
            ei : ints = [], ef : floats = [], es : strings = [], et : tensors = [], eg : graphs = [], ety : type_protos = [],
            t = float[2] {1.0, 2.0}, big = float[100] = ["init": "splat(2.0)"], ts : tensors = [float {1.0}, int64[9] = ["init": "iota"]],
            ty : type_proto = seq(float[N]), tys : type_protos = [float, float[]], whole : float = 3
        #| , "odd name" = 1, bytes = "\xff\x00", payload = bits(0x7fc00001), unsayable : type_proto = seq(?), strange : 77 = @x
            , last = 2
          > (x)
          z = a.Hidden
        #| <"only hidden" = 1, "really" = [nan, bits(0xffffffff)]>
          (y)
        #| w = "a b"."c.d":"e f" <k = 1> (z)  # float[3]
          v = a.b.Over:load (w)
        }"#,
    );
    let printed = fixed_point(&model);
    let graph = model.main_graph().unwrap();
    let Op::Custom(op) = graph.ops().next().unwrap().1.op() else { panic!() };
    assert_eq!(op.attributes.len(), 26, "{:?}", op.attributes);
    assert!(
        op.attributes
            .iter()
            .any(|(name, value)| name == "payload" && *value == Attribute::Float(f32::from_bits(0x7fc0_0001).into()))
    );
    assert!(printed.text.contains("payload = bits(0x7fc00001)"), "{}", printed.text);
}

#[test]
fn sparse_tensors() {
    use edgesmith_ir::{Tensor, ValueType};
    let mut model = read("g () => () { = a.Sink () }");
    let sparse = Tensor::sparse(
        [2_u64, 3].as_slice(),
        Tensor::from_slice([1_u64].as_slice(), &[1.5_f32]).unwrap(),
        Tensor::from_ints(&[4]),
    )
    .unwrap();
    let main = model.main().unwrap();
    for name in ["first", "second"] {
        model.add_constant(main, name, sparse.clone());
    }
    model.add_constant(main, "dense", Tensor::from_ints(&[1]));
    model.add_constant(main, "third", sparse.clone());
    let op = model.graph(main).ops().next().unwrap().0;
    let custom = edgesmith_ir::op::CustomOp {
        domain: "a".into(),
        name: "Sink".into(),
        overload: "".into(),
        attributes: vec![
            ("one".into(), Attribute::SparseTensor(sparse.clone())),
            ("two".into(), Attribute::SparseTensors(vec![sparse.clone(), sparse.clone()])),
            ("as_tensor".into(), Attribute::Tensor(sparse)),
        ],
    };
    model.graph_mut(main).set_op(op, Op::Custom(Box::new(custom)));
    let printed = fixed_point(&model);
    assert!(printed.text.contains("#| sparse_tensor(float[2,3]) first"), "{}", printed.text);
    assert!(matches!(model.graph(main).values().next().unwrap().1.ty(), ValueType::SparseTensor(_)));
}

#[test]
fn regions_capture_what_they_use() {
    let model = read(
        r#"g (float[N] x, bool c, float[N] z) => (float[N] y)
        <float[1] w = {2.0}, float[1] v = {3.0}>
        {
          y = If <
            then_branch = then (  ) => (float[N] a) { a0 = Mul (z, w)  a = Add (a0, x) },
            else_branch = otherwise () => (float[N] b) <float[1] own = {4.0}> {
              b0 = Mul (x, own)
              inner = If <then_branch = g1 () => (p) { p = Mul (b0, v) }, else_branch = g2 () => (q) { q = Neg (z) }> (c)
              b = Add (inner, v)
            }
          > (c)
        }"#,
    );
    let main = model.main_graph().unwrap();
    let data = main.ops().next().unwrap().1;
    let names: Vec<_> = data.captures().iter().map(|v| main.value(v.unwrap()).name().to_string()).collect();
    // The else branch comes first: it reads x, c for the operator inside, and z in that operator's region.
    assert_eq!(names, ["x", "c", "z"]);
    let printed = fixed_point(&model);
    assert!(!printed.text.contains("captures"), "{}", printed.text);
    assert!(!printed.text.contains("id ="), "{}", printed.text);
}

#[test]
fn captures_in_another_order_or_under_other_names() {
    for text in [
        // Another order, one of them unused.
        r#"g (float[N] x, bool c, float[N] z) => (y) {
          y = If <
            then_branch = a () => (p)
            #: captures (z, x, c)
            { p = Add (x, z) },
            else_branch = b () => (q)
            #: captures (z, x, c)
            { q = Sub (x, z) }
          > (c) }"#,
        // Other labels inside, with names of their own where the outer ones mean something else.
        r#"g (float[N] x, bool c) => (y) {
          y = If <
            then_branch = a () => (p)
            #: captures (x as "x 1", x as x2 label label2)
            { p0 = Add ("x 1", x2)  x = Neg (p0)  p = Neg (x) },
            else_branch = b () => (q)
            #: captures (x as first, x as second)
            { q = Sub (second, first) }
          > (c) }"#,
        r#"g (float[N] x, bool c) => (y) {
          y = If <
            then_branch = a () => (p)
            #: captures (x label inside)
            #: value x type = float[3], doc = "captured"
            { p = Neg (x) },
            else_branch = b () => (x)
            #: captures (x label elsewhere)
            { }
          > (c) }"#,
    ] {
        let model = read(text);
        let printed = fixed_point(&model);
        assert!(printed.text.contains("captures"), "{}", printed.text);
    }
}

#[test]
fn a_loop_and_a_scan() {
    fixed_point(&read(
        r#"g (int64 trips, bool go, float[N] start, float[T,N] steps) => (float[N] last, float[K,N] all, sum)
        <float[1] w = {2.0}>
        {
          last, all = Loop <body = body (int64 i, bool cond, float[N] state) => (bool cond_out, float[N] next, float[N] scanned)
            <float[N] scanned> {
              cond_out = Identity (cond)
              next = Mul (state, w)
              scanned = Add (next, start)
          }> (trips, go, start)
          sum, "" = Scan <num_scan_inputs = 1, body = step (carried, float[N] item) => (out, copy) {
              out = Add (carried, item)
              copy = Identity (out)
          }> (last, steps)
        }"#,
    ));
}

#[test]
fn functions_and_calls() {
    let model = read(
        r#"<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[N] x) => (y) {
          [call] y = local.F <alpha = 2.0> (x)
        #| -> body (float[N] X) => (Y)
        #| #: graph pristine
        #| <float[1] two = {2.0}>
        #| {
        #|   Y = Mul (X, two)  # float[N]
        #| }
          z = local.F:fast (y)
          w = local.Missing (z)
          #: call
          v = local.F (w)
          #: custom
        }
        <domain: "local", opset_import: ["" : 17], doc_string: "doubles">
        F <alpha, beta : float = 1.5, gamma : ints = [1, 2]> (X) => (Y)
        #: function metadata = ["k": "v"]
        #: graph name = "F body", doc = "inside"
        {
          a = Constant <value_float : float = @alpha, other = @beta> ()
          Y = Mul (X, a)
          #: doc = "of the node"
        }
        <domain: "local", overload: "fast", opset_import: ["" : 17, "local" : 1]>
        F (float[N] X) => (Y) <float[N] t>
        #| <float[1] hidden = {1.0}>
        {
          t = local.F (X)
          Y = If <then_branch = g1 () => (p) { p = Neg (t) }, else_branch = g2 () => (t2) { t2 = Abs (X) }> (c)
          #: custom
        }"#
        .replace("(c)", "(t)")
        .as_str(),
    );
    let printed = fixed_point(&model);
    assert_eq!(model.functions.len(), 2);
    let kinds: Vec<_> = model.main_graph().unwrap().ops().map(|(_, op)| op.op().kind()).collect();
    assert_eq!(kinds, [OpKind::Call, OpKind::Call, OpKind::Call, OpKind::Custom]);
    assert!(printed.text.contains("#| -> body"), "{}", printed.text);
}

#[test]
fn several_entries_share_weights() {
    let model = read(
        r#"encoder (float[N] x) => (y)
        <float[20] w = ["init": "uniform(seed=1)"], float[1] b = {1.0}>
        #: tensor w id = 7, role = parameter, doc = "shared"
        { y = Add (x, w) }
        #: entry "decoder 2"
        #| decoder (float[N] x) => (y)
        #| <float[20] weight = ["init": "zeros"]>
        #| #: tensor weight id = 7
        #| { y = Sub (x, weight)  # float[20]
        #| }
        #: alias again = main"#,
    );
    assert_eq!(model.entries.len(), 3);
    assert_eq!(model.tensors().count(), 2);
    let printed = fixed_point(&model);
    assert!(printed.text.contains("tensor w id = 0, role = parameter, doc = \"shared\""), "{}", printed.text);
}

#[test]
fn operators_of_other_domains_and_legacy_forms() {
    let model = read(
        r#"g (float[N,3] x) => (y) {
          a = edgesmith.LegacySoftmax <kind = "LogSoftmax", axis = 2> (x)
          b = Softmax (a)
          #: custom
          c = Upsample <mode = "nearest"> (b)
          y = ai.onnx.Relu (c)
        }"#,
    );
    let kinds: Vec<_> = model.main_graph().unwrap().ops().map(|(_, op)| op.op().kind()).collect();
    assert_eq!(kinds, [OpKind::LegacySoftmax, OpKind::Custom, OpKind::Custom, OpKind::Custom]);
    fixed_point(&model);
}

#[test]
fn graphs_of_custom_operators() {
    fixed_point(&read(
        r#"g (x) => (y) {
          y = a.Both <one = g1 () => (p) { p = Neg (x) }, many : graphs = [g2 () => (q) { q = Abs (x) }, g3 () => () {}]> (x)
          z = a.Odd
        #| <first : graph = 1, list : graphs = [0, 0]>
          (y)
        #| -> "a b" () => (p) { p = Neg (x) }
        #| -> g2 () => () { = a.Sink (y) }
          w = a.Named <one = graph () => ()
            #: graph name = "a b c", doc = "d", metadata = ["k": "v"]
            {}> ()
        }"#,
    ));
}

#[test]
fn origins() {
    let model = read(
        r#"g (x) => (y) {
          [conv] a = Relu (x)
          #: origin = derived("fold-batch-norm", source("conv", "Conv", "layer.0"), source("bn", "BatchNormalization"))
          b = Neg (a)
          #: origin = @2, doc = "d\"oc", metadata = ["namespace": "a/b"], opaque = "\x01"
          c = Neg (b)
          #: origin = @2
          ["/layer1/relu/Relu"] d = Relu (c)
          e = Relu (d)
          #: origin = source("e", "Clip")
          y = Relu (e)
          #: origin = derived("r5", derived("r4", derived("r3", derived("r2", derived("r1", @1)))))
        }
        #: let @1 = source("n", "Op")
        #: let @2 = derived("rule", @1, @1)"#,
    );
    let printed = fixed_point(&model);
    assert!(printed.text.contains("#: origin = source(\"e\", \"Clip\")"), "{}", printed.text);
    assert!(!printed.text.contains("layer1.relu"), "{}", printed.text);
}

#[test]
fn notes_of_values() {
    fixed_point(&read(
        r#"g (float[N] x, float[N] y) => (float[M] z)
        #: graph doc = "of the graph", metadata = ["a": "b"]
        #: value x doc = "an input", metadata = ["k": "v", "k2": ""], denotations = ["": "IMAGE", "0": "DATA_BATCH"]
        #: value w quantization = ["SCALE_TENSOR": "s"], pinned
        #: undeclared y
        <float[2] w = {1.0, 2.0}, float[N] mid, float[2] w>
        #: tensor w role = buffer, doc = "weights", metadata = ["m": "n"]
        { mid = Add (x, y)  # float[4]
          z = Add (mid, w)  # float[4]
          #: value z doc = "the result"
        }"#,
    ));
}
