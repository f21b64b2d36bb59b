//! Inference over whole graphs: the idioms of exporters, regions, functions, and what a file declares.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use edgesmith_ir::{Def, GraphId, InferReport, Item, Model, ValueId, ValueType};
use edgesmith_ir_text::{NoWeights, parse_model};

fn read(text: &str) -> Model {
    parse_model(text, &NoWeights).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn inferred(text: &str) -> Model {
    let mut model = read(text);
    let report = model.infer_afresh();
    assert_eq!(report.errors, [], "{text}");
    model
}

fn find(model: &Model, name: &str) -> (GraphId, ValueId) {
    model.graphs().find_map(|(id, graph)| Some((id, graph.value_by_name(name)?))).unwrap()
}

/// Type and known elements of a value of any graph.
fn fact(model: &Model, name: &str) -> String {
    let (graph, value) = find(model, name);
    let row = model.graph(graph).value(value);
    let Some(contents) = row.contents() else { return row.ty().to_string() };
    let items = contents.items().iter().map(|item| match item {
        Item::Int(dim) => dim.to_string(),
        Item::Float(x) => format!("{x:?}"),
        Item::Unknown => "?".to_owned(),
    });
    format!("{} = {}", row.ty(), items.collect::<Vec<_>>().join(","))
}

#[track_caller]
fn check(model: &Model, expected: &[(&str, &str)]) {
    for (name, fact_of) in expected {
        assert_eq!(fact(model, name), *fact_of, "{name}");
    }
}

#[test]
fn sizes_of_the_older_exporter_fold_under_a_dynamic_batch() {
    let model = inferred(
        "g (int64[batch,seq] ids, float[batch,seq,768] x) => (y, p)
        <int64 zero = {0}, int64 one = {1}, int64[1] first = {0}, int64[1] second = {1}, int64[1] heads = {12},
         int64[1] size = {64}, float[1,512] positions = [\"init\": \"zeros\"]>
        {
          s0 = Shape (ids)
          n0 = Gather <axis = 0> (s0, zero)
          u0 = Unsqueeze (n0, first)
          s1 = Shape (ids)
          n1 = Gather <axis = 0> (s1, one)
          u1 = Unsqueeze (n1, first)
          p = Slice (positions, first, u1, second, second)
          wanted = Concat <axis = 0> (u0, u1, heads, size)
          apart = Reshape (x, wanted)
          y = Transpose <perm = [0, 2, 1, 3]> (apart)
        }",
    );
    check(
        &model,
        &[
            ("s0", "int64[2] = batch,seq"),
            ("n1", "int64[] = seq"),
            ("wanted", "int64[4] = batch,seq,12,64"),
            ("y", "float[batch,12,seq,64]"),
            ("p", "float[1,min(512, seq)]"),
        ],
    );
}

#[test]
fn the_mask_of_expand_folds() {
    let model = inferred(
        "g (float[N,1] table, float[N,7] like) => (y)
        <int64[1] minus = {-1}, int64 zero = {0}, int64[1] first = {0}, int64 neg = {-1}>
        {
          s = Shape (like)
          n = Gather <axis = 0> (s, zero)
          u = Unsqueeze (n, first)
          sh = Concat <axis = 0> (u, minus)
          r = Reshape (sh, minus)
          k = Shape (r)
          on = ConstantOfShape <value = int64[1] {1}> (k)
          m = Mul (on, neg)
          e = Equal (r, m)
          w = Where (e, on, r)
          y = Expand (table, w)
        }",
    );
    check(&model, &[("e", "bool[2] = 0,1"), ("w", "int64[2] = N,1"), ("y", "float[N,1]")]);
}

#[test]
fn sizes_computed_through_floats_fold_where_they_are_numbers() {
    let model = inferred(
        "g (float[N,8,15,20] x) => (y)
        <int64 two = {2}, float factor = {1.5}, int64[1] first = {0}, int64[1] c = {8}, int64[1] start = {0}>
        {
          s = Shape (x)
          h = Gather <axis = 0> (s, two)
          f = Cast <to = 1> (h)
          m = Mul (f, factor)
          d = Floor (m)
          i = Cast <to = 7> (d)
          u = Unsqueeze (i, first)
          y = Expand (u, c)
        }",
    );
    check(&model, &[("d", "float[] = 22.0"), ("y", "int64[8] = 22,22,22,22,22,22,22,22")]);
}

#[test]
fn pads_of_the_older_exporter_fold() {
    // F.pad(x, (1, 2, 3, 4)): the list is filled up with zeros, reversed in pairs, and transposed.
    let model = inferred(
        "g (float[N,3,H,W] x) => (y)
        <int64[4] given = {1, 2, 3, 4}, int64[1] fill = {4}, int64[2] pairs = {-1, 2}, int64[1] first = {0},
         int64[1] last = {-1}, int64[1] far = {-9223372036854775807}, int64[1] flat = {-1}>
        {
          zeros = ConstantOfShape <value = int64[1] {0}> (fill)
          all = Concat <axis = 0> (given, zeros)
          two = Reshape (all, pairs)
          turned = Slice (two, last, far, first, last)
          t = Transpose <perm = [1, 0]> (turned)
          flattened = Reshape (t, flat)
          pads = Cast <to = 7> (flattened)
          y = Pad (x, pads)
        }",
    );
    check(&model, &[("pads", "int64[8] = 0,0,3,1,0,0,4,2"), ("y", "float[N,3,H + 7,W + 3]")]);
}

#[test]
fn sizes_of_the_newer_exporter_fold() {
    let model = inferred(
        "g (float[s31,3,32,32] input) => (y, bias)
        <float[24,3,3,3] weight = [\"init\": \"zeros\"], float zero = {0.0}, int64[1] ones = {1}, int64[1] minus = {-1}>
        {
          v0 = Shape <start = 0, end = 1> (input)
          v1 = Squeeze (v0)
          v3 = Shape <start = 0, end = 1> (weight)
          v5 = Expand (v3, ones)
          v7 = CastLike (zero, input)
          bias = Expand (v7, v5)
          sizes = Concat <axis = 0> (v0, minus)
          y = Reshape (input, sizes)
        }",
    );
    assert_eq!(fact(&model, "v1"), "int64[] = s31");
    let (graph, bias) = find(&model, "bias");
    assert_eq!(model.graph(graph).value(bias).ty().to_string(), "float[24]");
    assert_eq!(fact(&model, "y"), "float[s31,3072]");
}

#[test]
fn branches_agree_where_they_agree() {
    let model = inferred(
        "g (float[N,4] x, bool c) => (same, other, rank)
        <float[4] w = {1.0, 2.0, 3.0, 4.0}, int64[1] all = {-1}>
        {
          same, other, rank = If <
            then_branch = a () => (p, q, r) { p = Relu (x)  q = Relu (x)  r = Relu (x) },
            else_branch = b () => (p2, q2, r2) { p2 = Neg (x)  q2 = Concat <axis = 0> (x, x)  r2 = Reshape (x, all) }
          > (c)
        }",
    );
    check(&model, &[("same", "float[N,4]"), ("other", "float[`?other.0`,4]"), ("rank", "float[..]")]);
}

#[test]
fn a_known_condition_takes_its_branch() {
    let text = |value: u8| {
        format!(
            "g (float[N,4] x) => (y)
            <bool c = {{{value}}}, int64[2] minus = {{-1, 2}}>
            {{
              y = If <then_branch = a () => (p) {{ p = Relu (x) }},
                      else_branch = b () => (q) {{ q = Reshape (x, minus) }}> (c)
            }}"
        )
    };
    assert_eq!(fact(&inferred(&text(1)), "y"), "float[N,4]");
    assert_eq!(fact(&inferred(&text(0)), "y"), "float[2*N,2]");
}

#[test]
fn known_elements_of_branches_are_joined() {
    let model = inferred(
        "g (float[N,4] x, bool c) => (y)
        <int64[2] u = {1, 2}>
        {
          s = If <then_branch = a () => (p) { p = Shape (x) },
                  else_branch = b () => (q) <int64[2] q = {7, 4}> { }> (c)
          y = Expand (x, s)
        }",
    );
    check(&model, &[("s", "int64[2] = ?,4"), ("y", "float[`?y.0`,4]")]);
}

#[test]
fn carried_values_that_grow_are_widened() {
    let model = inferred(
        "g (int64 trips, bool go, float[0,8] start, float[1,8] row, float[N,8] kept) => (grown, fixed, stacked, rows)
        {
          grown, fixed, stacked, rows = Loop <body = body (int64 i, bool cond, acc, same) => (again, longer, still, each, piece) {
            again = Identity (cond)
            longer = Concat <axis = 0> (acc, row)
            still = Relu (same)
            each = ReduceSum <keepdims = 0> (longer)
            piece = NonZero (row)
          }> (trips, go, start, kept)
        }",
    );
    check(
        &model,
        &[
            ("grown", "float[`?grown.0`,8]"),
            ("acc", "float[?,8]"),
            ("fixed", "float[N,8]"),
            ("stacked", "float[`?stacked.0`]"),
            // One piece may be longer than the next: what is named inside the body means nothing outside.
            ("rows", "int64[`?rows.0`,2,`?rows.2`]"),
            ("piece", "int64[2,`?grown?0?piece.1`]"),
        ],
    );
}

#[test]
fn types_from_a_narrower_round_do_not_stay() {
    let model = inferred(
        "g (int64 trips, float[2] start, bool go) => (last)
        <int64[1] one = {1}, int64[1] zero = {0}, int64[1] far = {9223372036854775807}>
        {
          last = Loop <body = body (int64 i, bool cond, state) => (again, next) {
            again = Identity (cond)
            twice = Concat <axis = 0> (state, state)
            inner = Relu (twice)
            next = Identity (inner)
          }> (trips, go, start)
        }",
    );
    check(&model, &[("last", "float[`?last.0`]"), ("inner", "float[`?last?0?twice.0`]"), ("state", "float[?]")]);
}

#[test]
fn a_chain_of_carried_values_settles() {
    // A size moves on by one place each trip; in the end none of them is known.
    let model = inferred(
        "g (int64 trips, bool go, float[1] a, float[2] b, float[2] c, float[2] d, float[2] e, float[2] f, float[2] h,
            float[5] kept) => (w)
        {
          u, v, w, x, y, z, o, q = Loop <body = body (int64 i, bool cond, a1, b1, c1, d1, e1, f1, h1, kept1)
              => (again, a2, b2, c2, d2, e2, f2, h2, kept2) {
            again = Identity (cond)
            a2 = Identity (a1)
            b2 = Identity (a1)
            c2 = Identity (b1)
            d2 = Identity (c1)
            e2 = Identity (d1)
            f2 = Identity (e1)
            h2 = Identity (f1)
            kept2 = Identity (kept1)
          }> (trips, go, a, b, c, d, e, f, h, kept)
        }",
    );
    check(&model, &[("u", "float[1]"), ("v", "float[`?v.0`]"), ("o", "float[`?o.0`]"), ("q", "float[5]")]);
}

#[test]
fn trips_are_counted_where_text_and_runtimes_agree() {
    let text = |limit: &str, condition: &str, next: &str| {
        format!(
            "g (float[N,4] x, float[3] item, int64 m, bool c) => (all)
            <int64 five = {{5}}, int64 none = {{0}}, bool yes = {{1}}, bool no = {{0}}, int64 first = {{0}}>
            {{
              s = Shape (x)
              n = Gather (s, first)
              all = Loop <body = body (int64 i, bool cond) => (next, each) <bool t = {{1}}> {{
                next = Identity ({next})
                each = Relu (item)
              }}> ({limit}, {condition})
            }}"
        )
    };
    for (limit, condition, next, expected) in [
        ("five", "yes", "t", "float[5,3]"),
        ("five", "\"\"", "t", "float[5,3]"),
        ("n", "yes", "t", "float[N,3]"),
        ("none", "yes", "cond", "float[0,3]"),
        // The text ignores the body's condition here, runtimes obey it.
        ("five", "\"\"", "cond", "float[`?all.0`,3]"),
        ("five", "c", "t", "float[`?all.0`,3]"),
        ("five", "no", "t", "float[`?all.0`,3]"),
        ("m", "yes", "t", "float[`?all.0`,3]"),
    ] {
        assert_eq!(fact(&inferred(&text(limit, condition, next)), "all"), expected, "{limit} {condition} {next}");
    }
}

#[test]
fn a_loop_that_runs_gives_what_its_body_gives() {
    let text = |limit: &str| {
        format!(
            "g (float[2] start, float[3] item, int64 m) => (last)
            <int64 five = {{5}}, bool yes = {{1}}>
            {{
              last = Loop <body = body (int64 i, bool cond, state) => (cond, next) {{
                next = Relu (item)
              }}> ({limit}, yes, start)
            }}"
        )
    };
    assert_eq!(fact(&inferred(&text("five")), "last"), "float[3]");
    assert_eq!(fact(&inferred(&text("m")), "last"), "float[`?last.0`]");
}

#[test]
fn a_body_takes_what_the_loop_makes_in_the_shape_that_it_declares() {
    let text = |iteration: &str, condition: &str| {
        format!(
            "g (int64 trips, float[4,3] table) => (rows, whole)
            {{
              rows, whole = Loop <body = body ({iteration} i, {condition} go) => (go_on, row, same) {{
                go_on = Identity (go)
                row = Gather <axis = 0> (table, i)
                same = Identity (go)
              }}> (trips, \"\")
            }}"
        )
    };
    for (iteration, condition, row, same) in [
        ("int64", "bool", "float[3]", "bool[]"),
        ("int64[1]", "bool", "float[1,3]", "bool[]"),
        ("int64", "bool[1]", "float[3]", "bool[1]"),
        ("int64[M]", "bool", "float[1,3]", "bool[]"),
    ] {
        let model = inferred(&text(iteration, condition));
        check(&model, &[("row", row), ("same", same)]);
    }
}

#[test]
fn scans_take_an_axis_away_and_put_one_on() {
    let model = inferred(
        "g (float[N,4] start, float[N,T,4] xs, int64[T] ids) => (state, ys, zs)
        {
          state, ys, zs = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_output_axes = [1, -1],
            body = step (before, x, id) => (after, y, z) {
              after = Add (before, x)
              y = Relu (after)
              z = Identity (id)
          }> (start, xs, ids)
        }",
    );
    check(
        &model,
        &[("x", "float[N,4]"), ("id", "int64[]"), ("state", "float[N,4]"), ("ys", "float[N,T,4]"), ("zs", "int64[T]")],
    );
    let mut wrong = read(
        "g (float[3,4] xs, float[5,4] zs) => (ys) {
          ys = Scan <num_scan_inputs = 2, body = step (x, z) => (y) { y = Add (x, z) }> (xs, zs)
        }",
    );
    let message = wrong.infer().errors[0].error.message.clone();
    assert_eq!(message, "the lengths of scan inputs: 3 and 5 must be equal");
}

#[test]
fn calls_of_one_function_name_their_own_sizes() {
    let body = "#| -> body (X) => (Y)
                #| { Y = NonZero (X) }";
    let model = inferred(&format!(
        "<ir_version: 8, opset_import: [\"\" : 17, \"local\" : 1]>
        g (float[N,4] a, float[N,4] b) => (y)
        {{
          first = local.F (a)
        {body}
          second = local.F (b)
        {body}
          y = Add (first, second)
        }}
        <domain: \"local\", opset_import: [\"\" : 17]> F (X) => (Y) {{ Y = NonZero (X) }}"
    ));
    check(
        &model,
        &[
            ("first", "int64[2,`?first?0?Y.1`]"),
            ("second", "int64[2,`?second?0?Y.1`]"),
            // Two names for two sizes: nothing says that they are one, so their sum has a third.
            ("y", "int64[2,`?y.1`]"),
        ],
    );
}

#[test]
fn sequences_are_followed_through_loops() {
    let model = inferred(
        "g (int64 trips, bool go, float[N,8] x) => (y)
        {
          start = SequenceConstruct (x)
          all = Loop <body = body (int64 i, bool cond, so_far) => (again, more) {
            again = Identity (cond)
            more = SequenceInsert (so_far, x)
          }> (trips, go, start)
          y = ConcatFromSequence <axis = 0> (all)
        }",
    );
    check(&model, &[("all", "seq(float[N,8])"), ("y", "float[`?y.0`,8]")]);
}

#[test]
fn what_a_file_declares_fills_gaps_and_never_wins() {
    let mut model = read(
        "g (float[N,4] x) => (y, z)
        <float[7,4] n, float[N,6] custom, int64[2,K] found>
        {
          n = Relu (x)
          custom = somewhere.Make (n)
          y = Neg (custom)
          found = NonZero (x)
          z = Identity (found)
        }",
    );
    let InferReport { conflicts, errors } = model.infer_afresh();
    assert_eq!(errors, []);
    // N may be 7, so that is no contradiction; but the rule's answer stands.
    assert_eq!(conflicts, []);
    check(&model, &[("n", "float[N,4]"), ("y", "float[N,6]"), ("z", "int64[2,K]")]);
    let mut wrong = read("g (float[5,4] x) => (y) <float[7,4] n> { n = Relu (x)  y = Neg (n) }");
    let conflicts = wrong.infer_afresh().conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].inferred.to_string(), conflicts[0].declared.to_string()),
        ("float[5,4]".into(), "float[7,4]".into())
    );
    assert_eq!(fact(&wrong, "y"), "float[5,4]");
}

#[test]
fn inferring_twice_changes_nothing() {
    let text = "g (float[N,4] x, int64 trips, bool go) => (a, b)
        {
          found = NonZero (x)
          a = Transpose (found)
          b = Loop <body = body (int64 i, bool cond, state) => (again, next) {
            again = Identity (cond)
            next = Concat <axis = 0> (state, x)
          }> (trips, go, x)
        }";
    let once = inferred(text);
    let mut twice = once.clone();
    for _ in 0..2 {
        twice.infer();
        for (id, graph) in once.graphs() {
            for (value, row) in graph.values() {
                let other = twice.graph(id).value(value);
                assert_eq!((row.ty(), row.contents()), (other.ty(), other.contents()), "{}", row.name());
            }
        }
        twice.infer_afresh();
    }
}

#[test]
fn errors_name_the_operator_and_leave_the_rest() {
    let mut model = read(
        "g (float[2,3] x, bool c) => (y, z)
        <int64[1] four = {4}>
        {
          [bad] y = Reshape (x, four)
          z = If <then_branch = a () => (p) { p = Reshape (x, four) }, else_branch = b () => (q) { q = Neg (x) }> (c)
          fine = Relu (x)
        }",
    );
    let errors: Vec<String> = model.infer_afresh().errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["Reshape 'bad': [2,3] cannot become [4]", "If 'z': in its body: Reshape 'p': [2,3] cannot become [4]",]
    );
    assert_eq!(fact(&model, "fine"), "float[2,3]");
}

#[test]
fn loops_inside_loops_end() {
    // Every level would multiply the rounds of those around it.
    let depth = 40;
    let mut text = String::from("g (int64 m, bool c, float[1] x0) => (y0) {\n");
    for level in 0..depth {
        let next = level + 1;
        text += &format!(
            "y{level} = Loop <body = b{level} (int64 i{level}, bool c{level}, x{next}) => (c{level}, r{level}) {{\n"
        );
    }
    text += &format!("y{depth} = Concat <axis = 0> (x{depth}, x{depth})\n");
    for level in (0..depth).rev() {
        text += &format!("r{level} = Identity (y{})\n}}> (m, c, x{level})\n", level + 1);
    }
    let model = inferred(&(text + "}"));
    let (graph, value) = find(&model, "y0");
    let ty = model.graph(graph).value(value).ty();
    assert!(matches!(ty, ValueType::Tensor(tensor) if tensor.shape.extents().is_none()), "{ty}");
}

#[test]
fn long_chains_are_inferred_in_linear_time() {
    let count = |length: usize| {
        let mut text = String::from("g (float[N,H,8] x0) => (y) <float one = {1.0}, int64[2] s = {0, -1}> {\n");
        for index in 0..length {
            text += &format!("x{} = Add (x{index}, one)\n", index + 1);
        }
        inferred(&(text + &format!("y = Reshape (x{length}, s)\n}}")))
    };
    let model = count(50_000);
    assert_eq!(fact(&model, "y"), "float[N,8*H]");
    let defined = model.main_graph().unwrap().values().filter(|(_, row)| matches!(row.def(), Def::Result { .. }));
    assert!(defined.into_iter().all(|(_, row)| row.ty().dims().is_some()));
}

#[test]
fn sparse_constants_are_read_as_tensors() {
    use edgesmith_ir::{Graph, NewOp, OpId, OriginId, Tensor, op};
    let mut model = Model::new();
    let main = model.add_graph(Graph::new("g"));
    model.entries.insert("g".into(), main);
    let origin: OriginId =
        model.add_origin(edgesmith_ir::Origin::Source { node: "n".into(), operator: "Relu".into(), scope: None });
    let values = Tensor::from_slice(vec![1_u64], &[1.0_f32]).unwrap();
    let sparse = Tensor::sparse(vec![2_u64, 3], values, Tensor::from_ints(&[4])).unwrap();
    let constant = model.add_constant(main, "w", sparse);
    let relu = NewOp {
        op: op::Relu {}.into(),
        operands: [Some(constant)].into_iter().collect(),
        captures: 0,
        regions: [].into_iter().collect(),
        results: [Some("y".into())].into_iter().collect(),
        name: "relu".into(),
        origin,
    };
    let id: OpId = model.graph_mut(main).add_op(relu);
    model.infer_op(main, id).unwrap();
    assert_eq!(fact(&model, "y"), "float[2,3]");
    assert_eq!(fact(&model, "w"), "sparse_tensor(float[2,3])");
}
