//! `transduct demo`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use super::Place;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command with these words as arguments, in `place`, and the first two lines that it says: the
/// address, and what is served.
fn started(place: &Place, arguments: &[&str]) -> (Running, [String; 2]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_transduct"))
        .arg("demo")
        .args(arguments)
        .current_dir(place.path("."))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let lines = [(); 2].map(|()| {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    });
    (Running(child), lines)
}

fn request(url: &str, line: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    assert!(address.starts_with("127.0.0.1:"), "{url}");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_page_of_a_folder_is_served_to_this_machine() {
    let place = Place::new();
    place.write("site/index.html", "<title>page</title>");
    place.write("site/pkg/a_bg.wasm", "code");
    let (_running, [url, what]) = started(&place, &["--dir", "site"]);
    assert!(what.contains("site. ") && !what.contains("inside"), "{what}");
    let page = request(&url, "GET /");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("text/html"), "{page}");
    assert!(page.ends_with("<title>page</title>"), "{page}");
    assert!(request(&url, "GET /pkg/a_bg.wasm").contains("Content-Type: application/wasm"));
    assert!(request(&url, "GET /../source.csv").starts_with("HTTP/1.1 404"));
    assert!(request(&url, "POST /").starts_with("HTTP/1.1 405"));
}

#[test]
fn a_page_that_was_built_here_is_served_before_the_one_inside() {
    let place = Place::new();
    place.write("wasm-demo/dist/index.html", "<title>built here</title>");
    let (_running, [url, what]) = started(&place, &[]);
    assert!(what.contains("wasm-demo/dist"), "{what}");
    assert!(request(&url, "GET /").ends_with("<title>built here</title>"));
}

#[test]
fn without_a_folder_the_page_inside_is_served() {
    let place = Place::new();
    // The build script found a page, or it did not: the program says and does accordingly.
    if let Some(page) = option_env!("TRANSDUCT_HAS_PAGE") {
        let (_running, [url, what]) = started(&place, &[]);
        assert_eq!(what, "Serves the page inside the program. Ctrl-C ends it.");
        let answer = request(&url, "GET /");
        let index = super::text(std::path::Path::new(page).join("index.html"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&index), "{answer}");
    } else {
        let line = place.refusal("demo");
        let advice = "run `wasm-demo/build.sh` and build the program again, or name the folder";
        assert!(line.contains("built without the page") && line.contains(advice), "{line}");
    }
}

#[test]
fn a_folder_without_a_page_is_refused() {
    let line = Place::new().refusal("demo --dir nowhere");
    assert_eq!(line, "nowhere: has no index.html: expected the folder of a built page");
}
