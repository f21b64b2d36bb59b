//! Operators that read or write at indices.

use crate::kit::*;

#[test]
fn gather_by_axis() {
    let x = f(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    gives("Gather", &[], &[x.clone(), i(&[], &[-1])], &row(&[3.0, 4.0, 5.0]));
    gives("Gather", &[("axis", int(1))], &[x.clone(), i(&[1, 2], &[2, 0])], &f(&[2, 1, 2], &[2.0, 0.0, 5.0, 3.0]));
    gives("Gather", &[], &[x.clone(), t(&[1], &[1_i32])], &f(&[1, 3], &[3.0, 4.0, 5.0]));
    gives("Gather", &[], &[x.clone(), i(&[0], &[])], &f(&[0, 3], &[]));
    invalid("Gather", &[], &[x.clone(), ints(&[2])]);
    invalid("Gather", &[], &[x, ints(&[-3])]);
}

#[test]
fn gather_elements_and_tuples() {
    let x = f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    gives(
        "GatherElements",
        &[("axis", int(1))],
        &[x.clone(), i(&[2, 2], &[0, 0, -1, 0])],
        &f(&[2, 2], &[1.0, 1.0, 4.0, 3.0]),
    );
    gives("GatherElements", &[], &[x.clone(), i(&[1, 1], &[1])], &f(&[1, 1], &[3.0]));
    invalid("GatherElements", &[], &[x.clone(), i(&[1, 3], &[0, 0, 0])]);
    gives("GatherND", &[], &[x.clone(), i(&[2, 2], &[0, 0, -1, 1])], &row(&[1.0, 4.0]));
    gives("GatherND", &[], &[x.clone(), i(&[1, 1], &[1])], &f(&[1, 2], &[3.0, 4.0]));
    let batch = f(&[2, 2, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    gives("GatherND", &[("batch_dims", int(1))], &[batch, i(&[2, 1], &[1, 0])], &f(&[2, 2], &[2.0, 3.0, 4.0, 5.0]));
    invalid("GatherND", &[], &[x, i(&[1, 3], &[0, 0, 0])]);
}

#[test]
fn scatter_combines_in_order() {
    let x = row(&[1.0, 2.0, 3.0]);
    let reduction = |name| [("reduction", text(name))];
    gives("ScatterElements", &[], &[x.clone(), ints(&[-1, 0]), row(&[7.0, 8.0])], &row(&[8.0, 2.0, 7.0]));
    open("ScatterElements", &[], &[x.clone(), ints(&[1, -2]), row(&[7.0, 8.0])], &row(&[1.0, 8.0, 3.0]));
    let twice = [x.clone(), ints(&[1, 1]), row(&[7.0, 8.0])];
    gives("ScatterElements", &reduction("add"), &twice, &row(&[1.0, 17.0, 3.0]));
    gives("ScatterElements", &reduction("mul"), &twice, &row(&[1.0, 112.0, 3.0]));
    gives("ScatterElements", &reduction("max"), &twice, &row(&[1.0, 8.0, 3.0]));
    gives("ScatterElements", &reduction("min"), &twice, &row(&[1.0, 2.0, 3.0]));
    let narrow = [f(&[2, 2], &[0.0; 4]), i(&[1, 2], &[1, 0]), f(&[1, 2], &[5.0, 6.0])];
    gives("ScatterElements", &[], &narrow, &f(&[2, 2], &[0.0, 6.0, 5.0, 0.0]));
    invalid("ScatterElements", &[], &[x, ints(&[3]), row(&[1.0])]);
}

#[test]
fn scatter_tuples() {
    let x = f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    gives(
        "ScatterND",
        &[],
        &[x.clone(), i(&[1, 1], &[-1]), f(&[1, 2], &[8.0, 9.0])],
        &f(&[2, 2], &[1.0, 2.0, 8.0, 9.0]),
    );
    let add = [x.clone(), i(&[2, 2], &[0, 1, 0, 1]), row(&[1.0, 1.0])];
    gives("ScatterND", &[("reduction", text("add"))], &add, &f(&[2, 2], &[1.0, 4.0, 3.0, 4.0]));
    invalid("ScatterND", &[], &[x, i(&[1, 1], &[0]), row(&[8.0, 9.0])]);
}

#[test]
fn caches_are_written_in_place() {
    let cache = f(&[2, 1, 3, 1], &[0.0; 6]);
    let update = f(&[2, 1, 2, 1], &[1.0, 2.0, 3.0, 4.0]);
    let at = ints(&[1, 0]);
    gives(
        "TensorScatter",
        &[],
        &[cache.clone(), update.clone(), at],
        &f(&[2, 1, 3, 1], &[0.0, 1.0, 2.0, 3.0, 4.0, 0.0]),
    );
    let circular = [("mode", text("circular"))];
    gives(
        "TensorScatter",
        &circular,
        &[cache.clone(), update.clone(), ints(&[2, 0])],
        &f(&[2, 1, 3, 1], &[2.0, 0.0, 1.0, 3.0, 4.0, 0.0]),
    );
    invalid("TensorScatter", &[], &[cache, update, ints(&[2, 0])]);
}
