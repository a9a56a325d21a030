//! Replaces what stands between the markers of a page.

/// Puts `text` between `<!-- name -->` and `<!-- end of name -->`.
pub fn replace(page: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let missing = |marker: &str| format!("the page has no line {}", marker.trim());
    let (before, rest) = page.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    Ok(format!("{before}{begin}\n{text}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = "a\n<!-- t -->\nold\n<!-- end of t -->\nb\n";
        let new = replace(page, "t", "new").unwrap();
        assert_eq!(new, "a\n<!-- t -->\n\nnew\n\n<!-- end of t -->\nb\n");
        assert_eq!(replace(&new, "t", "new").unwrap(), new);
        assert!(replace(page, "other", "").unwrap_err().contains("<!-- other -->"));
    }
}
