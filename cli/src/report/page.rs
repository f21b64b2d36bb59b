//! The HTML page: a frame, a style sheet, a script, and the reports as JSON, all in one file.
//!
//! The page holds the whole report as data and draws itself, so it shows nothing that the JSON does not say. It loads
//! nothing: a content security policy forbids it to.

/// The frame, with the places of the other parts.
const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// The scripts in the order in which they build on each other.
const SCRIPTS: &[&str] = &[
    include_str!("page/elements.js"),
    include_str!("page/tables.js"),
    include_str!("page/sections.js"),
    include_str!("page/trace.js"),
    include_str!("page/plot.js"),
    include_str!("page/main.js"),
];

/// The page of a list of reports, given as JSON.
pub(super) fn page(json: &str) -> String {
    // Each place is in the frame once, and what was put in before is never searched.
    let mut page = String::with_capacity(FRAME.len() + STYLE.len() + json.len() + 65_536);
    let mut rest = FRAME;
    let parts = [("{style}", STYLE.to_owned()), ("{data}", in_script(json)), ("{script}", SCRIPTS.concat())];
    for (place, part) in parts {
        let Some((before, after)) = rest.split_once(place) else { continue };
        page.push_str(before);
        page.push_str(&part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// JSON as it may stand in a script element: no `<`, so that no name of an operator ends the element or opens a comment.
/// Outside of strings JSON has none of these characters, so their escapes mean the same.
fn in_script(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a page, as a browser would cut them out: up to the first end of the element.
    fn data(page: &str) -> &str {
        let start = page.split_once("<script type=\"application/json\" id=\"report\">").unwrap().1;
        start.split_once("</script").unwrap().0
    }

    #[test]
    fn hostile_names_stay_data() {
        let names = ["</script><script>alert(1)</script>", "<!--", "&lt;", "{script}{data}", "a\u{2028}b", "\"'\\"];
        let page = page(&serde_json::to_string(&names).unwrap());
        let back: Vec<String> = serde_json::from_str(data(&page)).unwrap();
        assert_eq!(back, names);
        assert_eq!(page.matches("<script").count(), 2, "the data and the program");
        assert_eq!(page.matches("</script>").count(), 2);
    }

    #[test]
    fn the_page_is_one_file_that_loads_nothing() {
        let page = page("[]");
        for place in ["{style}", "{data}", "{script}"] {
            assert!(!page.contains(place), "{place} is left");
        }
        for loads in [" src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest", "import(", "https://"] {
            assert!(!page.contains(loads), "the page has {loads}");
        }
        // The one address is the name of a vocabulary, which nobody loads.
        let addresses: Vec<_> = page.match_indices("http://").collect();
        assert!(addresses.iter().all(|(at, _)| page[*at..].starts_with("http://www.w3.org/2000/svg")), "{addresses:?}");
        assert!(page.contains("default-src 'none'"));
    }

    /// The script may not end its own element.
    #[test]
    fn the_program_is_one_element() {
        assert!(SCRIPTS.iter().all(|script| !script.contains("</script")));
        assert!(!STYLE.contains("</style"));
    }
}
