use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::data::registry::File;
use crate::data::testing;

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Answer {
    /// The whole body, whatever range was asked.
    Whole(Vec<u8>),
    /// The range that was asked, or the whole.
    Range(Vec<u8>),
    /// All headers, but only these first bytes of what they promise.
    Cut(Vec<u8>, usize),
    /// An empty answer with this status.
    Status(&'static str),
}

/// Serves one answer a connection on a local port; the ranges that were asked come back in order.
fn serve(answers: Vec<Answer>) -> (String, mpsc::Receiver<Option<u64>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/folder/data.bin", listener.local_addr().unwrap());
    let (asked, ranges) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let head = head(&mut stream);
            let range = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let first = value.trim().strip_prefix("bytes=")?.strip_suffix('-')?;
                name.eq_ignore_ascii_case("range").then(|| first.parse().unwrap())
            });
            let _ = asked.send(range);
            // The client may hang up on an answer that it has no use for.
            let _ = stream.write_all(&reply(&answer, range));
        }
    });
    (address, ranges)
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    String::from_utf8(bytes).unwrap()
}

fn reply(answer: &Answer, range: Option<u64>) -> Vec<u8> {
    let whole = |status: &str, extra: String, body: &[u8], sent: usize| {
        let n = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {n}\r\n{extra}Connection: close\r\n\r\n");
        [head.as_bytes(), &body[..sent]].concat()
    };
    match (answer, range) {
        (Answer::Status(status), _) => whole(status, String::new(), &[], 0),
        (Answer::Range(body), Some(first)) => {
            let (first, n) = (first as usize, body.len());
            if first >= n {
                let extra = format!("Content-Range: bytes */{n}\r\n");
                return whole("416 Range Not Satisfiable", extra, &[], 0);
            }
            let extra = format!("Content-Range: bytes {first}-{}/{n}\r\n", n - 1);
            whole("206 Partial Content", extra, &body[first..], n - first)
        }
        (Answer::Whole(body) | Answer::Range(body), _) => {
            whole("200 OK", String::new(), body, body.len())
        }
        (Answer::Cut(body, sent), _) => whole("200 OK", String::new(), body, *sent),
    }
}

const CONTENT: &[u8] = b"the content of a data file, long enough to be cut in two";

/// A data directory and a download of `set/data.bin.gz` into it.
struct Case {
    dir: tempfile::TempDir,
    origin: Origin,
}

impl Case {
    fn new(urls: &[&String]) -> Self {
        let urls: Vec<&'static str> = urls.iter().map(|url| &*(*url).clone().leak()).collect();
        let file = File {
            path: "set/data.bin.gz",
            bytes: CONTENT.len() as u64,
            sha256: digest::sha256(CONTENT).leak(),
            convert: Convert::AsIs,
        };
        let origin = Origin { urls: urls.leak(), files: vec![file].leak() };
        Self { dir: tempfile::tempdir().unwrap(), origin }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("set").join(name)
    }

    /// Puts `bytes` where an interrupted download would have left them.
    fn left_over(self, bytes: &[u8]) -> Self {
        fs::create_dir_all(self.dir.path().join("set")).unwrap();
        fs::write(self.path("data.bin.part"), bytes).unwrap();
        self
    }

    /// Runs the download; the error is the reason.
    fn run(&self) -> Result<Vec<(u64, Option<u64>)>, String> {
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .accept_encoding("identity")
            .build()
            .new_agent();
        let dir = DataDir::at(self.dir.path());
        let mut seen = Vec::new();
        let mut progress = |p: Progress<'_>| {
            assert_eq!(p.file, "data.bin");
            seen.push((p.bytes, p.total));
        };
        let download = Download { agent: &agent, origin: &self.origin, dir: &dir };
        match download.run(&mut progress) {
            Ok(()) => Ok(seen),
            Err(Failed::There(reasons)) => Err(reasons),
            Err(Failed::Here(e)) => Err(format!("here: {e}")),
        }
    }

    /// The file is there with its content, and nothing else.
    fn check(&self) {
        let content = fs::read(self.path("data.bin.gz")).unwrap();
        let content = raw::gunzip(&content, Path::new("x")).unwrap();
        assert_eq!(&*content, CONTENT);
        assert_eq!(fs::read_dir(self.dir.path().join("set")).unwrap().count(), 1);
    }
}

#[test]
fn a_whole_download_is_packed_and_checked() {
    for body in [CONTENT.to_vec(), testing::gzip(CONTENT)] {
        let n = body.len() as u64;
        let (url, ranges) = serve(vec![Answer::Range(body)]);
        let case = Case::new(&[&url]);
        let seen = case.run().unwrap();
        assert_eq!(seen.first(), Some(&(0, Some(n))));
        assert_eq!(seen.last(), Some(&(n, Some(n))));
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [None]);
        case.check();
    }
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let (url, ranges) =
        serve(vec![Answer::Cut(CONTENT.to_vec(), 20), Answer::Range(CONTENT.to_vec())]);
    let case = Case::new(&[&url]);
    let seen = case.run().unwrap();
    assert_eq!(ranges.iter().collect::<Vec<_>>(), [None, Some(20)]);
    let n = CONTENT.len() as u64;
    assert!(seen.contains(&(20, Some(n))), "{seen:?}");
    assert!(seen.iter().all(|(_, total)| *total == Some(n)), "{seen:?}");
    case.check();
}

#[test]
fn an_earlier_run_is_resumed() {
    let (url, ranges) = serve(vec![Answer::Range(CONTENT.to_vec())]);
    let case = Case::new(&[&url]).left_over(&CONTENT[..30]);
    case.run().unwrap();
    assert_eq!(ranges.iter().collect::<Vec<_>>(), [Some(30)]);
    case.check();
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let (url, _ranges) = serve(vec![Answer::Whole(CONTENT.to_vec())]);
    let case = Case::new(&[&url]).left_over(b"thirty bytes of something else");
    case.run().unwrap();
    case.check();
}

#[test]
fn a_complete_left_over_is_used() {
    let (url, _ranges) = serve(vec![Answer::Range(CONTENT.to_vec())]);
    let case = Case::new(&[&url]).left_over(CONTENT);
    case.run().unwrap();
    case.check();
}

#[test]
fn a_left_over_of_another_file_is_dropped() {
    // Resumed, the content is wrong; asked again from the start, it is right. Too long, the range
    // is refused first.
    for left_over in [&b"other"[..], &[1; 500]] {
        let (url, _ranges) = serve(vec![Answer::Range(CONTENT.to_vec()); 2]);
        let case = Case::new(&[&url]).left_over(left_over);
        case.run().unwrap();
        case.check();
    }
}

#[test]
fn the_next_address_is_tried_and_every_reason_told() {
    let (gone, _a) = serve(vec![Answer::Status("404 Not Found")]);
    let (wrong, _b) = serve(vec![Answer::Whole(b"<html>moved</html>".to_vec())]);
    let (good, _c) = serve(vec![Answer::Whole(CONTENT.to_vec())]);
    let case = Case::new(&[&gone, &wrong, &good]);
    case.run().unwrap();
    case.check();

    let (gone, _a) = serve(vec![Answer::Status("404 Not Found")]);
    let (wrong, _b) = serve(vec![Answer::Whole(b"<html>moved</html>".to_vec())]);
    let case = Case::new(&[&gone, &wrong]);
    let got = digest::sha256(b"<html>moved</html>");
    let expected = digest::sha256(CONTENT);
    assert_eq!(
        case.run().unwrap_err(),
        format!(
            "{gone}: the server answers 404 Not Found; {wrong}: set/data.bin.gz would have \
             SHA-256 {got}, expected {expected}"
        )
    );
    assert!(!case.path("data.bin.gz").exists());
}

#[test]
fn a_transfer_that_always_breaks_ends_and_keeps_its_bytes() {
    let (url, ranges) = serve(vec![Answer::Cut(CONTENT.to_vec(), 20); ATTEMPTS]);
    let case = Case::new(&[&url]);
    let message = case.run().unwrap_err();
    assert!(message.contains("the transfer broke off"), "{message}");
    assert_eq!(ranges.iter().count(), ATTEMPTS);
    assert_eq!(fs::read(case.path("data.bin.part")).unwrap(), &CONTENT[..20]);
}

#[test]
fn nobody_there_is_a_reason() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/data.bin");
    assert!(Case::new(&[&url]).run().unwrap_err().starts_with(&url));
}

#[test]
fn a_wrong_file_stays_until_a_right_one_is_here() {
    let (url, _a) = serve(vec![Answer::Status("404 Not Found")]);
    let case = Case::new(&[&url]).left_over(b"");
    fs::write(case.path("data.bin.gz"), b"mine").unwrap();
    case.run().unwrap_err();
    assert_eq!(fs::read(case.path("data.bin.gz")).unwrap(), b"mine");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (url, _a) = serve(vec![]);
    let case = Case::new(&[&url]);
    fs::write(case.dir.path().join("set"), b"a file").unwrap();
    let message = case.run().unwrap_err();
    assert!(message.starts_with("here: "), "{message}");
    assert!(message.contains(&case.dir.path().join("set").display().to_string()), "{message}");
}

#[test]
fn data_without_an_address_comes_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let entry = crate::data::registry::data_set("jda/mnist").unwrap();
    let error = fetch(entry, &DataDir::at(dir.path()), &mut |_| {}).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "jda/mnist could not be fetched (it has no public address); by hand: get MNIST_vs_USPS"
        ),
        "{message}"
    );
}

#[test]
fn states_of_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let entry = crate::data::registry::data_set("optdigits").unwrap();
    let [good, wrong, unreadable] = ["train-labels-idx1", "test-labels-idx1", "test-images-idx3"]
        .map(|name| format!("optdigits/{name}-ubyte.gz"));
    fs::create_dir(dir.path().join("optdigits")).unwrap();
    fs::write(dir.path().join(&wrong), testing::gzip(b"abc")).unwrap();
    fs::write(dir.path().join(&unreadable), &testing::gzip(b"abc")[..15]).unwrap();
    for (path, state) in verify(entry, &DataDir::at(dir.path())) {
        match state {
            State::WrongHash { expected, got } if path == wrong => {
                assert_ne!(expected, got);
                assert_eq!(got, digest::sha256(b"abc"));
            }
            State::Unreadable(DataError::Malformed { .. }) if path == unreadable => {}
            State::Missing => assert!(path == good || path.contains("train-images"), "{path}"),
            state => panic!("{path}: {state:?}"),
        }
    }
}

#[test]
fn files_that_are_there_are_left_alone() {
    let Some(root) = testing::data_root("registered data sets") else { return };
    let entry = crate::data::registry::data_set("optdigits").unwrap();
    let outcomes =
        fetch(entry, &DataDir::at(root), &mut |_| panic!("nothing is to be downloaded")).unwrap();
    assert_eq!(outcomes.len(), 4);
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Present));
}
