//! The little of Markdown that cases need: headings and fenced blocks, by line. Everything else is prose.

use std::ops::Range;

/// What stands between two headings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// The heading's text; empty for what stands before the first heading.
    pub title: String,
    /// Its line, from 1.
    pub line: usize,
    /// The fenced blocks in order.
    pub blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The first word behind the opening fence.
    pub language: String,
    /// The text between the fences, with a line break behind every line.
    pub text: String,
    /// Its lines, both fences included, from 0.
    pub lines: Range<usize>,
}

/// Takes a page apart. Fails with the line of a fence that is never closed.
pub(crate) fn sections(text: &str) -> Result<Vec<Section>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut sections = vec![Section::default()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some((fence, language)) = opening(line) {
            let Some(length) = lines[at + 1..].iter().position(|line| closes(line, fence)) else {
                return Err(format!("line {}: this block is never closed", at + 1));
            };
            let end = at + 1 + length;
            let text = lines[at + 1..end].iter().flat_map(|line| [*line, "\n"]).collect();
            let block = Block { language: language.to_owned(), text, lines: at..end + 1 };
            if let Some(section) = sections.last_mut() {
                section.blocks.push(block);
            }
            at = end;
        } else if let Some(title) = heading(line) {
            sections.push(Section { title: title.to_owned(), line: at + 1, blocks: Vec::new() });
        }
        at += 1;
    }
    Ok(sections)
}

/// The fence of a line that opens a block, and the block's language. Only fences at the left margin count, so that a block
/// inside a list is prose.
fn opening(line: &str) -> Option<(&str, &str)> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    let (fence, info) = line.split_at(length);
    (length >= 3 && !info.contains('`')).then(|| (fence, info.split_whitespace().next().unwrap_or_default()))
}

fn closes(line: &str, fence: &str) -> bool {
    let line = line.trim_end();
    line.starts_with(fence) && line.chars().all(|c| fence.starts_with(c))
}

fn heading(line: &str) -> Option<&str> {
    let level = line.chars().take_while(|c| *c == '#').count();
    let title = line.get(level..)?;
    ((1..=6).contains(&level) && title.starts_with(' ')).then(|| title.trim().trim_end_matches('#').trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_blocks() {
        let page = "intro\n# One\n```ir x\n# no heading\n``\n```\n~~~~ toml\n~~~\n~~~~~\n  ```ir\n## Two ##\n#no\n";
        let found = sections(page).unwrap();
        let titles: Vec<_> = found.iter().map(|s| (s.title.as_str(), s.line)).collect();
        assert_eq!(titles, [("", 0), ("One", 2), ("Two", 11)]);
        let blocks: Vec<_> =
            found[1].blocks.iter().map(|b| (b.language.as_str(), b.text.as_str(), b.lines.clone())).collect();
        assert_eq!(blocks, [("ir", "# no heading\n``\n", 2..6), ("toml", "~~~\n", 6..9)]);
        assert!(found[2].blocks.is_empty());
    }

    #[test]
    fn an_open_block_is_a_mistake() {
        assert_eq!(sections("a\n```ir\nx\n").unwrap_err(), "line 2: this block is never closed");
    }
}
