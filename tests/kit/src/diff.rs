//! A readable difference of two texts, line by line.

/// The lines of both texts in order: `-` for those that only `old` has, `+` for those that only `new` has. Lines far from
/// any difference are left out.
pub(crate) fn diff(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // Lengths of longest common subsequences of the rests. Cases are pages, so the table is small.
    let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let mut lines: Vec<(char, &str)> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((' ', a[i]));
            i += 1;
            j += 1;
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', a[i]));
            i += 1;
        } else {
            lines.push(('+', b[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        let window = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len());
        lines[window].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut text = String::new();
    let mut left_out = false;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            text.push_str(format!("  {mark} {line}").trim_end());
            text.push('\n');
        } else if !left_out {
            text.push_str("    ...\n");
        }
        left_out = !near(at);
    }
    text
}

/// Equal lines that are shown on each side of a difference.
const CONTEXT: usize = 3;

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn shows_what_differs_and_little_else() {
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\n"), "    a\n  - b\n  + x\n    c\n");
        assert_eq!(diff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n7\n"), "    ...\n    4\n    5\n    6\n  + 7\n");
        assert_eq!(diff("", "a\n"), "  + a\n");
    }
}
