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

fn request(address: &str, line: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_page_is_served_to_this_machine() {
    let place = Place::new();
    place.write("site/index.html", "<title>page</title>");
    place.write("site/pkg/a_bg.wasm", "code");
    let mut child = Command::new(env!("CARGO_BIN_EXE_transduct"))
        .args(["demo", "--dir", "site"])
        .current_dir(place.path("."))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    // Held open: the program may still be writing.
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut url).unwrap();
    let _running = Running(child);
    let address = url.trim().trim_start_matches("http://").trim_end_matches('/');
    assert!(address.starts_with("127.0.0.1:"), "{url}");

    let page = request(address, "GET /");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("text/html"), "{page}");
    assert!(page.ends_with("<title>page</title>"), "{page}");
    assert!(request(address, "GET /pkg/a_bg.wasm").contains("Content-Type: application/wasm"));
    assert!(request(address, "GET /../source.csv").starts_with("HTTP/1.1 404"));
    assert!(request(address, "POST /").starts_with("HTTP/1.1 405"));
}

#[test]
fn a_folder_without_a_page_is_refused() {
    let line = Place::new().refusal("demo --dir nowhere");
    let advice = "build the page by `wasm-demo/build.sh`, or name its --dir";
    assert_eq!(line, format!("nowhere: has no index.html; {advice}"));
}
