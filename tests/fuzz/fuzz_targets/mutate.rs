//! Mutations that keep the file a model: bytes changed at random seldom get past the decoder, a node with another
//! operator, a swapped operand, an extreme attribute or a crooked dimension does.

use bytes::Bytes;
use edgesmith_onnx_proto::{
    AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, TypeValue,
};
use edgesmith_onnx_proto::schema::operators;
use prost::Message;

/// Numbers that break arithmetic without limits.
const EXTREMES: [i64; 16] = [
    0, 1, -1, 2, 3, 7, -2, 63, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 40, i64::MAX, i64::MIN, i64::MAX - 1, -(1 << 31),
];

/// A small generator of random numbers, seeded by libFuzzer.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides.max(1)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { Some(&of[self.roll(of.len())]) }
    }

    fn pick_mut<'a, T>(&mut self, of: &'a mut [T]) -> Option<&'a mut T> {
        if of.is_empty() { None } else { let at = self.roll(of.len()); Some(&mut of[at]) }
    }

    fn number(&mut self) -> i64 {
        EXTREMES[self.roll(EXTREMES.len())]
    }
}

/// Changes one to four things of the model in `data`; `None` when it is no model or the result does not fit.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let (mut model, _) = edgesmith_onnx_proto::decode_model(Bytes::copy_from_slice(&data[..size])).ok()?;
    let mut dice = Dice(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..=dice.roll(4) {
        change(&mut model, &mut dice)?;
    }
    let length = model.encoded_len();
    if length > max_size.min(data.len()) {
        return None;
    }
    model.encode(&mut &mut data[..length]).ok()?;
    Some(length)
}

fn change(model: &mut ModelProto, dice: &mut Dice) -> Option<()> {
    match dice.roll(24) {
        0 => dice.pick_mut(&mut model.opset_import)?.version = 6 + dice.roll(23) as i64,
        1 => model.ir_version = Some(3 + dice.roll(11) as i64),
        2 => graph(&mut dice.pick_mut(&mut model.functions)?.node, dice)?,
        _ => in_graph(model.graph.as_mut()?, dice)?,
    }
    Some(())
}

/// All names that a graph mentions.
fn names(graph: &GraphProto) -> Vec<String> {
    let nodes = graph.node.iter().flat_map(|node| node.input.iter().chain(&node.output));
    let listed = graph.input.iter().map(|input| &input.name).chain(graph.initializer.iter().map(|tensor| &tensor.name));
    nodes.chain(listed).cloned().collect()
}

fn in_graph(it: &mut GraphProto, dice: &mut Dice) -> Option<()> {
    match dice.roll(10) {
        0 => tensor(dice.pick_mut(&mut it.initializer)?, dice),
        1 => {
            let listed = match dice.roll(3) {
                0 => &mut it.input,
                1 => &mut it.output,
                _ => &mut it.value_info,
            };
            type_of(dice.pick_mut(listed)?.r#type.as_mut()?, dice)?;
        }
        2 => {
            let all = names(it);
            dice.pick_mut(&mut it.output)?.name = dice.pick(&all)?.clone();
        }
        3 => {
            let mut copy = dice.pick(&it.node)?.clone();
            for output in &mut copy.output {
                output.push('\'');
            }
            let renamed = copy.output.first()?.clone();
            it.node.push(copy);
            let reader = dice.pick_mut(&mut it.node)?;
            *dice.pick_mut(&mut reader.input)? = renamed;
        }
        4 => {
            // The whole body of a constant: shape arithmetic is decided by these.
            let held = it.node.iter_mut().filter(|node| node.op_type == "Constant");
            let mut held: Vec<_> = held.filter_map(|node| node.attribute.first_mut()).collect();
            attribute(dice.pick_mut(&mut held)?, dice)?;
        }
        _ => {
            let all = names(it);
            let at = dice.roll(it.node.len());
            let node = it.node.get_mut(at)?;
            change_node(node, &all, dice)?;
        }
    }
    Some(())
}

fn graph(nodes: &mut [NodeProto], dice: &mut Dice) -> Option<()> {
    let all: Vec<String> = nodes.iter().flat_map(|node| node.input.iter().chain(&node.output)).cloned().collect();
    change_node(dice.pick_mut(nodes)?, &all, dice)
}

fn change_node(node: &mut NodeProto, all: &[String], dice: &mut Dice) -> Option<()> {
    match dice.roll(9) {
        0 => {
            let operators: Vec<&str> = operators().collect();
            node.op_type = (*dice.pick(&operators)?).to_owned();
        }
        1 | 2 => *dice.pick_mut(&mut node.input)? = dice.pick(all)?.clone(),
        3 => *dice.pick_mut(&mut node.input)? = String::new(),
        4 => node.input.push(dice.pick(all)?.clone()),
        5 => drop(node.input.pop()?),
        6 => {
            let at = dice.roll(node.attribute.len());
            if at < node.attribute.len() {
                node.attribute.remove(at);
            }
        }
        _ => {
            let held = dice.pick_mut(&mut node.attribute)?;
            attribute(held, dice)?;
        }
    }
    Some(())
}

fn attribute(it: &mut AttributeProto, dice: &mut Dice) -> Option<()> {
    if let Some(body) = &mut it.g {
        return in_graph(body, dice);
    }
    if let Some(held) = &mut it.t {
        tensor(held, dice);
        return Some(());
    }
    if let Some(number) = &mut it.i {
        *number = dice.number();
    } else if let Some(number) = &mut it.f {
        *number = *dice.pick(&[0.0, -1.0, f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE])?;
    } else if !it.ints.is_empty() {
        match dice.roll(4) {
            0 => drop(it.ints.pop()),
            1 => it.ints.push(dice.number()),
            _ => *dice.pick_mut(&mut it.ints)? = dice.number(),
        }
    } else {
        it.s = Some(Bytes::from_static(*dice.pick(&[b"".as_slice(), b"SAME_UPPER", b"nearest", b"ij,jk->ik", b"LINEAR"])?));
    }
    Some(())
}

fn tensor(it: &mut TensorProto, dice: &mut Dice) {
    match dice.roll(6) {
        0 => it.dims.push(dice.number()),
        1 => drop(it.dims.pop()),
        2 => it.data_type = Some(dice.roll(27) as i32),
        3 => {
            if let Some(dim) = dice.pick_mut(&mut it.dims) {
                *dim = dice.number();
            }
        }
        _ => {
            if let Some(number) = dice.pick_mut(&mut it.int64_data) {
                *number = dice.number();
            } else if let Some(raw) = &it.raw_data {
                let mut raw = raw.to_vec();
                let width = if it.data_type == Some(7) { 8 } else { 4 };
                let at = dice.roll(raw.len() / width) * width;
                let number = dice.number().to_le_bytes();
                if let Some(slot) = raw.get_mut(at..at + width) {
                    slot.copy_from_slice(&number[..width]);
                }
                it.raw_data = Some(raw.into());
            }
        }
    }
}

fn type_of(it: &mut TypeProto, dice: &mut Dice) -> Option<()> {
    let Some(TypeValue::Tensor(held)) = &mut it.value else { return None };
    match dice.roll(4) {
        0 => held.elem_type = dice.roll(27) as i32,
        1 => held.shape = None,
        _ => {
            let dim = dice.pick_mut(&mut held.shape.as_mut()?.dim)?;
            dim.value = match dice.roll(3) {
                0 => None,
                1 => Some(DimensionValue::Parameter((*dice.pick(&["N", "batch", "N*2", "floor(H/16)"])?).to_owned())),
                _ => Some(DimensionValue::Value(dice.number())),
            };
        }
    }
    Some(())
}
