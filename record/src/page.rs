//! The page: one HTML file, with the recording and all that shows it in it.

use crate::json;
use crate::timeline::TimeLine;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

pub(crate) fn write(line: &TimeLine) -> String {
    let data = json::to_string(line);
    // Inside of a script element nothing ends it but `</`, and a name may contain that.
    let data = data.replace("</", "<\\/").replace("<!--", "<\\u0021--");
    PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT).replace("/*DATA*/", &data)
}
