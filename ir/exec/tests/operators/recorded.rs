//! The numerical families against what ONNX Runtime computed: `../recorded/cases.txt`, written by `record.py` beside it.

use edgesmith_exec::{Value, compare};
use edgesmith_ir::attribute::F32;
use edgesmith_ir::{Attribute, DType, Tensor};

use crate::kit::{op, t};

/// One operator with its operands and the results expected.
#[derive(Default)]
struct Case {
    name: String,
    attributes: Vec<(String, Attribute)>,
    operands: Vec<Option<Value>>,
    results: Vec<Value>,
    tolerance: (f64, f64),
}

fn attribute(words: &[&str]) -> Attribute {
    let floats = || words[1..].iter().map(|word| F32(word.parse().unwrap())).collect::<Vec<F32>>();
    let ints = || words[1..].iter().map(|word| word.parse().unwrap()).collect::<Vec<i64>>();
    let string = |word: &str| bytes::Bytes::copy_from_slice(word.as_bytes());
    match words[0] {
        "float" => Attribute::Float(floats()[0]),
        "floats" => Attribute::Floats(floats()),
        "int" => Attribute::Int(ints()[0]),
        "ints" => Attribute::Ints(ints()),
        "string" => Attribute::String(string(&words[1..].join(" "))),
        "strings" => Attribute::Strings(words[1..].iter().map(|word| string(word)).collect()),
        other => panic!("{other}"),
    }
}

fn value(words: &[&str]) -> Option<Value> {
    if words == ["absent"] {
        return None;
    }
    let dtype = DType::from_text(words[0]).unwrap();
    let inside = words[1].trim_matches(['[', ']']);
    let shape: Vec<u64> = inside.split(',').filter(|extent| !extent.is_empty()).map(|e| e.parse().unwrap()).collect();
    fn all<T: std::str::FromStr<Err: std::fmt::Debug>>(words: &[&str]) -> Vec<T> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }
    let words = &words[2..];
    Some(match dtype {
        DType::F32 => t::<f32>(&shape, &all(words)),
        DType::I64 => t::<i64>(&shape, &all(words)),
        DType::I32 => t::<i32>(&shape, &all(words)),
        DType::I16 => t::<i16>(&shape, &all(words)),
        DType::I8 => t::<i8>(&shape, &all(words)),
        DType::U16 => t::<u16>(&shape, &all(words)),
        DType::U8 => t::<u8>(&shape, &all(words)),
        DType::Bool => {
            let truths: Vec<bool> = words.iter().map(|word| *word == "1").collect();
            Tensor::from_bools(&shape[..], &truths).unwrap().into()
        }
        other => panic!("{other}"),
    })
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for paragraph in include_str!("../recorded/cases.txt").split("\n\n").filter(|text| !text.trim().is_empty()) {
        let mut case = Case::default();
        for line in paragraph.lines().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "op" => case.name = words[1].to_owned(),
                "tolerance" => case.tolerance = (words[1].parse().unwrap(), words[2].parse().unwrap()),
                "attribute" => case.attributes.push((words[1].to_owned(), attribute(&words[2..]))),
                "operand" => case.operands.push(value(&words[1..])),
                "result" => case.results.push(value(&words[1..]).unwrap()),
                other => panic!("{other}"),
            }
        }
        cases.push(case);
    }
    cases
}

fn results(case: &Case) -> Vec<Option<Value>> {
    let attributes: Vec<(&str, Attribute)> = case.attributes.iter().map(|(n, a)| (n.as_str(), a.clone())).collect();
    let options = edgesmith_exec::EvalOptions::running(1 << 24);
    let wanted = vec![true; case.results.len()];
    edgesmith_exec::evaluate_op(&op(&case.name, &attributes), &case.operands, &wanted, &options)
        .unwrap_or_else(|error| panic!("{} {:?}: {error}", case.name, case.attributes))
}

#[test]
fn results_are_those_of_onnx_runtime() {
    let cases = cases();
    assert!(cases.len() > 250, "{} cases", cases.len());
    let mut problems = Vec::new();
    for case in &cases {
        for (slot, (found, expected)) in results(case).iter().zip(&case.results).enumerate() {
            let found = found.as_ref().expect("a wanted result");
            if let Err(problem) = compare::close(expected, found, case.tolerance.0, case.tolerance.1) {
                problems.push(format!("{} {:?}, result {slot}: {problem}", case.name, case.attributes));
            }
        }
    }
    assert!(problems.is_empty(), "{} of {} differ:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

/// The comparison above can fail: every case objects to an operand that is a little off.
#[test]
fn recorded_cases_object_to_other_operands() {
    let mut objecting = 0;
    let mut changed = 0;
    for mut case in cases() {
        let Some(Some(Value::Tensor(first))) = case.operands.first() else { continue };
        let (DType::F32, false) = (first.dtype(), first.is_empty()) else { continue };
        let moved: Vec<f32> = first.view::<f32>().unwrap().iter().map(|x| x * 1.5 + 0.25).collect();
        case.operands[0] = Some(t::<f32>(first.shape(), &moved));
        changed += 1;
        let close = |(found, expected): (&Option<Value>, &Value)| {
            compare::close(expected, found.as_ref().unwrap(), case.tolerance.0, case.tolerance.1).is_ok()
        };
        objecting += usize::from(!results(&case).iter().zip(&case.results).all(close));
    }
    // Normalisations may not notice a change of scale and offset.
    assert!(objecting * 20 > changed * 19, "{objecting} of {changed}");
}
