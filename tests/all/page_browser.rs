//! Pages of reports in a real browser: what a reader sees, on a screen, a phone and paper.
//!
//! Correct means: a page is whole by itself and says so to the network, all of it can be read, and what is under the
//! pointer tells what it rests on.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::common::browser::{Browser, url};
use crate::common::{folder, fresh, run_in};

/// One page of each kind, made by the program.
fn pages() -> &'static [PathBuf] {
    static PAGES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    PAGES.get_or_init(|| {
        let place = folder("pages");
        let commands: [(&str, &[&str]); 6] = [
            (
                "rows.html",
                &[
                    "run",
                    "tour",
                    "--quick",
                    "--export-json",
                    "one.json",
                    "--export-html",
                ],
            ),
            (
                "sweep.html",
                &[
                    "sweep",
                    "guard",
                    "type_switch",
                    "-P",
                    "cases=2..8:x2",
                    "--quick",
                    "--export-html",
                ],
            ),
            (
                "grid.html",
                &[
                    "sweep",
                    "guard",
                    "-P",
                    "cases=2..4",
                    "-P",
                    "hit=first,last",
                    "--quick",
                    "--export-html",
                ],
            ),
            (
                "compare.html",
                &[
                    "compare",
                    "ptr_method",
                    "itab_call",
                    "--quick",
                    "--export-json",
                    "other.json",
                    "--export-html",
                ],
            ),
            (
                "ablate.html",
                &[
                    "ablate",
                    "wrapper_call[method=called]",
                    "--quick",
                    "--export-html",
                ],
            ),
            ("report.html", &["report", "one.json", "other.json", "-o"]),
        ];
        let make = |(page, arguments): (&str, &[&str])| {
            let run = run_in(&place, &[arguments, &[page]].concat());
            assert_eq!(run.code, 0, "{page}: {}", run.stderr);
            place.join(page)
        };
        commands.into_iter().map(make).collect()
    })
}

/// Opens all that can be opened.
const OPENED: &str = "document.querySelectorAll('details').forEach(one => one.open = true)";

#[test]
fn a_page_asks_for_nothing_but_itself_and_complains_of_nothing() {
    let Some(mut browser) = Browser::start(&fresh("alone")) else {
        return;
    };
    for page in pages() {
        browser.open(page, "light", 1280);
        browser.value(OPENED);
        browser.point_at("[data-tip]");
        let asked = browser.told("Network.requestWillBeSent");
        let asked: Vec<&str> = asked
            .filter_map(|one| one["request"]["url"].as_str())
            .collect();
        // The icon is an empty one, from the page.
        let elsewhere: Vec<_> = asked.iter().filter(|one| **one != "data:,").collect();
        assert_eq!(elsewhere, [&url(page)]);
        let said = browser.events.iter().filter(|one| {
            let method = one["method"].as_str().unwrap_or_default();
            [
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
                "Log.entryAdded",
            ]
            .contains(&method)
        });
        let said: Vec<&Value> = said.collect();
        assert!(said.is_empty(), "{}: {said:#?}", page.display());
    }
}

/// The ground, and each text whose contrast to what is behind it is below 4.5 (WCAG 2, AA), with that contrast.
pub(crate) const CONTRASTS: &str = r"(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const parsed = (colour) => {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((own, at) => own * a + below[at] * (1 - a));
  const luminance = (colour) => {
    const [r, g, b] = colour.map(own => own / 255).map(own => own <= 0.04045 ? own / 12.92 : ((own + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const own = element ? parsed(getComputedStyle(element).backgroundColor) : [255, 255, 255, 1];
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const faint = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest('script, #tip, svg title')) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const [r, g, b, a] = parsed(element.closest('svg') ? style.fill : style.color);
    let shown = a;
    for (let one = element; one; one = one.parentElement) shown *= Number(getComputedStyle(one).opacity);
    const ground = behind(element);
    const [low, high] = [luminance(over([r, g, b, shown], ground)), luminance(ground)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.tagName} ${element.getAttribute('class')}: ${text.slice(0, 40)}`);
  }
  return { ground: behind(document.body), texts, faint: [...new Set(faint)].slice(0, 20) };
})()";

#[test]
fn text_stands_out_from_its_ground_in_light_and_in_dark() {
    let Some(mut browser) = Browser::start(&fresh("contrast")) else {
        return;
    };
    for page in pages() {
        let grounds = ["light", "dark"].map(|scheme| {
            browser.open(page, scheme, 1280);
            browser.value(OPENED);
            let found = browser.value(CONTRASTS);
            assert!(found["texts"].as_u64() > Some(20), "{found}");
            assert_eq!(found["faint"], json!([]), "{} {scheme}", page.display());
            found["ground"].clone()
        });
        assert_ne!(grounds[0], grounds[1], "{}", page.display());
    }
}

/// What reaches beyond the screen and cannot be scrolled to within its own frame.
pub(crate) const TOO_WIDE: &str = r"(() => {
  const screen = document.documentElement.clientWidth;
  const wide = [];
  for (const one of document.body.querySelectorAll('*')) {
    const place = one.getBoundingClientRect();
    const isInFrame = one.parentElement.closest('.scroll, figure, pre');
    if (!isInFrame && (place.right > screen + 0.5 || place.left < -0.5)) {
      wide.push(`${one.tagName} ${one.getAttribute('class')} ${place.left} to ${place.right}`);
    }
  }
  // A drawing is whole on the screen, its text too.
  for (const one of document.body.querySelectorAll('figure')) {
    if (one.scrollWidth > one.clientWidth && !one.querySelector('table')) wide.push(`figure of ${one.scrollWidth}: ${one.textContent.slice(0, 60)}`);
  }
  for (const one of document.body.querySelectorAll('figure svg text')) {
    const place = one.getBoundingClientRect();
    if (place.width && (place.right > screen + 0.5 || place.left < -0.5)) wide.push(`${one.textContent} ${place.left} to ${place.right}`);
  }
  return { screen, window: window.innerWidth, page: document.documentElement.scrollWidth, wide: wide.slice(0, 20) };
})()";

#[test]
fn nothing_is_wider_than_a_phone() {
    let Some(mut browser) = Browser::start(&fresh("phone")) else {
        return;
    };
    for page in pages() {
        browser.open(page, "light", 390);
        browser.value(OPENED);
        let found = browser.value(TOO_WIDE);
        let right = json!({"screen": 390, "window": 390, "page": 390, "wide": []});
        assert_eq!(found, right, "{}", page.display());
    }
}

/// Texts of a drawing that lie upon each other.
const CROWDED: &str = r"(() => {
  const crowded = [];
  for (const drawing of document.body.querySelectorAll('svg')) {
    const texts = [...drawing.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
    const shown = texts.filter(([, place]) => place.width);
    shown.forEach(([text, own], at) => shown.slice(at + 1).forEach(([other, place]) => {
      const beside = own.left >= place.right - 1 || place.left >= own.right - 1;
      // The boxes of lines have room above and below their letters.
      const apart = own.top >= place.bottom - 5 || place.top >= own.bottom - 5;
      if (!beside && !apart) crowded.push(`${text} and ${other}`);
    }));
  }
  return crowded.slice(0, 20);
})()";

#[test]
fn no_text_of_a_drawing_lies_upon_another() {
    let Some(mut browser) = Browser::start(&fresh("crowded")) else {
        return;
    };
    for page in pages() {
        for width in [390, 1280] {
            browser.open(page, "light", width);
            browser.value(OPENED);
            let found = browser.value(CROWDED);
            assert_eq!(found, json!([]), "{} at {width}", page.display());
        }
    }
}

/// Heights of the rows of comparisons that are too much: a column too narrow for its words makes such rows.
const TALL: &str = r"[...document.querySelectorAll('.pair tr')]
  .map(row => row.getBoundingClientRect().height).filter(height => height > 100)";

#[test]
fn a_comparison_on_a_phone_has_no_column_of_single_words() {
    let Some(mut browser) = Browser::start(&fresh("columns")) else {
        return;
    };
    let page = &pages()[3];
    assert!(page.ends_with("compare.html"));
    browser.open(page, "light", 390);
    browser.value(OPENED);
    let rows = browser.value("document.querySelectorAll('.pair tr').length");
    assert!(rows.as_u64() > Some(4), "{rows}");
    assert_eq!(browser.value(TALL), json!([]));
    let scrolled = "[...document.querySelectorAll('.pair .scroll')].map(one => one.scrollWidth - one.clientWidth)";
    assert_eq!(browser.value(scrolled), json!([0]));
}

#[test]
fn a_page_prints() {
    let Some(mut browser) = Browser::start(&fresh("print")) else {
        return;
    };
    for page in pages() {
        browser.open(page, "light", 1280);
        let printed = browser.ask("Page.printToPDF", json!({"printBackground": false}));
        let base64 = printed["data"].as_str().expect("a document");
        // `%PDF-` in base 64.
        assert!(base64.starts_with("JVBERi"), "{}", &base64[..8]);
        assert!(base64.len() > 10_000, "{}", base64.len());
    }
}

#[test]
fn a_value_under_the_pointer_tells_its_interval_and_basis() {
    let Some(mut browser) = Browser::start(&fresh("pointer")) else {
        return;
    };
    // Where the machine is busy a row has no interval: this one has.
    let place = pages()[0].parent().expect("a folder");
    let report = std::fs::read_to_string(place.join("one.json")).expect("a report");
    let mut report: Value = serde_json::from_str(&report).expect("JSON");
    let cycles = &mut report["rows"][0]["metrics"]["cycles"];
    for (key, value) in [("value", 5.25), ("low", 5.125), ("high", 5.5)] {
        cycles[key] = json!(value);
    }
    let row = report["rows"][0].as_object_mut().expect("a row");
    row.remove("layout");
    std::fs::write(place.join("known.json"), report.to_string()).expect("writes");
    let run = run_in(place, &["report", "known.json", "-o", "known.html"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    browser.open(&place.join("known.html"), "light", 1280);
    assert_eq!(browser.value("document.querySelector('#tip').hidden"), true);
    for selector in [".row .plot [data-tip]", ".row .cell[data-tip]"] {
        browser.point_at(selector);
        let tip = browser
            .value("(tip => tip.hidden ? '' : tip.textContent)(document.querySelector('#tip'))");
        let tip = tip.as_str().expect("a text");
        let begin = "5.25 cycles, 95 % interval 5.125 to 5.500, measured";
        assert!(tip.starts_with(begin), "{selector}: {tip}");
        let is_seen = browser.value(
            "(at => at.left >= 0 && at.right <= innerWidth && at.bottom <= innerHeight)\
             (document.querySelector('#tip').getBoundingClientRect())",
        );
        assert_eq!(is_seen, true, "{selector}");
    }
    let away = json!({"type": "mouseMoved", "x": 2, "y": 2});
    browser.ask("Input.dispatchMouseEvent", away);
    assert_eq!(browser.value("document.querySelector('#tip').hidden"), true);
}

#[test]
fn the_filter_hides_rows_and_a_row_opens() {
    let Some(mut browser) = Browser::start(&fresh("filter")) else {
        return;
    };
    browser.open(&pages()[0], "light", 1280);
    let shown = "[...document.querySelectorAll('.row')].filter(row => row.checkVisibility()).map(row => row.dataset.name)";
    let all = browser.value(shown);
    browser.value("document.querySelector('[data-filter]').focus()");
    browser.ask("Input.insertText", json!({"text": "itab"}));
    let some = browser.value(shown);
    let (all, some) = (
        all.as_array().expect("rows"),
        some.as_array().expect("rows"),
    );
    assert!(!some.is_empty() && some.len() < all.len(), "{some:?}");
    let holds = |name: &&Value| name.as_str().is_some_and(|name| name.contains("itab"));
    assert_eq!(
        all.iter().filter(holds).collect::<Vec<_>>(),
        some.iter().collect::<Vec<_>>()
    );

    let is_open = "document.querySelector('.row:not([hidden]) .beside').checkVisibility({ contentVisibilityAuto: true })";
    assert_eq!(browser.value(is_open), false);
    browser.point_at(".row:not([hidden]) .name");
    let place = browser.value(
        "(at => [at.x + 5, at.y + 5])(document.querySelector('.row:not([hidden]) .name').getBoundingClientRect())",
    );
    for kind in ["mousePressed", "mouseReleased"] {
        let click =
            json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
        browser.ask("Input.dispatchMouseEvent", click);
    }
    assert_eq!(browser.value(is_open), true);
}

/// Seconds of the page's own thread, since its tab was opened.
fn worked(browser: &mut Browser) -> f64 {
    let told = browser.ask("Performance.getMetrics", json!({}));
    let all = told["metrics"].as_array().expect("metrics").iter();
    let mut own = all.filter(|one| one["name"] == "TaskDuration");
    own.next().expect("a duration")["value"]
        .as_f64()
        .expect("a number")
}

#[test]
fn a_page_as_long_as_the_book_opens_in_less_than_a_second_of_work() {
    let Some(mut browser) = Browser::start(&fresh("long")) else {
        return;
    };
    // As many rows as the book has, each with its code and its chunks.
    const ROWS: usize = 254;
    let place = pages()[0].parent().expect("a folder");
    let report = std::fs::read_to_string(place.join("one.json")).expect("a report");
    let mut report: Value = serde_json::from_str(&report).expect("JSON");
    let few = report["rows"].as_array().expect("rows").clone();
    let many = few.iter().cycle().take(ROWS).enumerate().map(|(at, row)| {
        let mut row = row.clone();
        row["scenario"] = json!(format!("row_{at}"));
        row
    });
    report["rows"] = many.collect();
    std::fs::write(place.join("long.json"), report.to_string()).expect("writes");
    let run = run_in(place, &["report", "long.json", "-o", "long.html"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    // The time of the processor, which a busy neighbour does not lengthen.
    browser.ask("Performance.enable", json!({"timeDomain": "threadTicks"}));
    let before = worked(&mut browser);
    browser.open(&place.join("long.html"), "light", 1280);
    let last = "(row => row.querySelector('.name').textContent)([...document.querySelectorAll('.row')].at(-1))";
    assert_eq!(browser.value(last), format!("row_{}", ROWS - 1));
    // Behind the next frame it is drawn.
    let drawn =
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))";
    let drawn = json!({"expression": drawn, "awaitPromise": true, "returnByValue": true});
    assert_eq!(
        browser.ask("Runtime.evaluate", drawn)["result"]["value"],
        true
    );
    let took = worked(&mut browser) - before;
    assert!(took > 0.001 && took < 1.0, "{took} s");
}
