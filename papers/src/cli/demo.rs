//! `transduct demo`: the browser page, served to this machine alone.

use std::{
    borrow::Cow,
    fs,
    io::Read,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use flate2::read::GzDecoder;
use rust_embed::RustEmbed;
use serde_json::json;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use super::{Output, Status};

/// Shared with the build script: what one writes, the other looks for.
#[path = "../../build/page.rs"]
#[cfg_attr(not(test), allow(dead_code, reason = "it is the build script that lays a page out"))]
mod page;
use page::{GZIPPED, INDEX};

const EXAMPLES: &str = "\
Examples:
  transduct demo
      The page inside the program, until Ctrl-C.
  wasm-demo/build.sh && transduct demo
      In a clone of the repository: builds the page, then serves what was built.
  transduct demo --dir site --port 8080
      A page that was built elsewhere, on a port of its own.";

/// Where `wasm-demo/build.sh` puts the page.
const BUILT: &str = "wasm-demo/dist";

/// How long the server waits for a request before it looks again.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// The folder of the built page.
    ///
    /// By default `wasm-demo/dist`, where there is a page in it, else the page inside the program.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The port on the loopback address. By default one that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

pub(super) fn execute(args: &DemoArgs, output: &Output) -> Result<Status> {
    let page = Page::find(args.dir.as_deref(), Box::new(inside))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = Server::http(address)
        .map_err(|e| anyhow!("port {}: {e}; give another --port", args.port))?;
    let url = format!("http://{}/", server.server_addr());
    let (dir, what) = match &page {
        Page::Folder(root) => (Some(root), format!("the page in {}", root.display())),
        Page::Inside(_) => (None, "the page inside the program".to_owned()),
    };
    let value = json!({ "url": url, "inside": dir.is_none(), "dir": dir });
    output.answer(&value, format!("{url}\nServes {what}. Ctrl-C ends it."))?;
    loop {
        page.answer_next(&server);
    }
}

/// What the build script found, gzipped; nothing if it found no page.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/page"]
struct Staged;

fn inside(path: &str) -> Option<Cow<'static, [u8]>> {
    Staged::get(path).map(|file| file.data)
}

/// The gzipped file of a path such as `pkg/a.js.gz`.
type Gzipped = Box<dyn Fn(&str) -> Option<Cow<'static, [u8]>> + Send>;

/// The files of a page.
enum Page {
    /// Those below a folder, given without links and dots.
    Folder(PathBuf),
    /// Those inside the program.
    Inside(Gzipped),
}

/// A file, ready to be sent.
struct Found {
    kind: mime_guess::Mime,
    bytes: Vec<u8>,
    gzipped: bool,
}

impl Page {
    /// The page in `dir`, else the one that was built here, else the one in `inside`.
    ///
    /// # Errors
    /// There is no page, with the ways to get one.
    fn find(dir: Option<&Path>, inside: Gzipped) -> Result<Self> {
        let built = Path::new(BUILT);
        let folder = match dir {
            Some(dir) if !dir.join(INDEX).is_file() => {
                bail!("{}: has no {INDEX}: expected the folder of a built page", dir.display())
            }
            Some(dir) => dir,
            None if built.join(INDEX).is_file() => built,
            None if inside(&[INDEX, GZIPPED].concat()).is_some() => {
                return Ok(Self::Inside(inside));
            }
            None => bail!(
                "this program was built without the page: in a clone of its repository, run \
                 `wasm-demo/build.sh` and build the program again, or name the folder of a built \
                 page by --dir"
            ),
        };
        let root = folder.canonicalize().map_err(|e| anyhow!("{}: {e}", folder.display()))?;
        Ok(Self::Folder(root))
    }

    /// Answers the next request, if there is one before long.
    fn answer_next(&self, server: &Server) {
        // A request that cannot be read or answered is the browser's loss alone.
        if let Ok(Some(request)) = server.recv_timeout(PATIENCE) {
            let _ = self.answer(request);
        }
    }

    fn answer(&self, request: Request) -> std::io::Result<()> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return request.respond(text(405, "only GET and HEAD are answered"));
        }
        match self.file(request.url(), takes_gzip(&request)) {
            Ok(Some(Found { kind, bytes, gzipped })) => {
                let mut response = headed(Response::from_data(bytes), kind.essence_str());
                if gzipped {
                    response = with(response, "Content-Encoding", "gzip");
                }
                request.respond(with(response, "Vary", "Accept-Encoding"))
            }
            Ok(None) => request.respond(text(404, "there is no such file")),
            Err(e) => request.respond(text(500, &e.to_string())),
        }
    }

    /// The file that `url` names; a folder's is its index. It comes gzipped where it is kept so and
    /// that is taken.
    fn file(&self, url: &str, takes_gzip: bool) -> std::io::Result<Option<Found>> {
        let Some(path) = url.split(['?', '#']).next() else { return Ok(None) };
        let path = path.trim_start_matches('/');
        match self {
            Self::Folder(root) => {
                let Some(path) = below(root, path) else { return Ok(None) };
                let kind = mime_guess::from_path(&path).first_or_octet_stream();
                Ok(Some(Found { kind, bytes: fs::read(&path)?, gzipped: false }))
            }
            Self::Inside(gzipped) => {
                let index = if path.is_empty() || path.ends_with('/') { INDEX } else { "" };
                let path = [path, index].concat();
                let Some(packed) = gzipped(&[&path, GZIPPED].concat()) else { return Ok(None) };
                let kind = mime_guess::from_path(&path).first_or_octet_stream();
                if takes_gzip {
                    let bytes = packed.into_owned();
                    return Ok(Some(Found { kind, bytes, gzipped: true }));
                }
                let mut bytes = Vec::new();
                GzDecoder::new(&*packed).read_to_end(&mut bytes)?;
                Ok(Some(Found { kind, bytes, gzipped: false }))
            }
        }
    }
}

/// The file of this path below `root`; a folder's is its index.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let mut found = root.join(path);
    if found.is_dir() {
        found.push(INDEX);
    }
    // Without links and dots: nothing outside the folder is served.
    found.canonicalize().ok().filter(|found| found.starts_with(root) && found.is_file())
}

/// Whether the request says that it takes gzip.
fn takes_gzip(request: &Request) -> bool {
    let accepts = request.headers().iter().filter(|header| header.field.equiv("Accept-Encoding"));
    accepts.flat_map(|header| header.value.as_str().split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        gzip && weight.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

type Bytes = Response<std::io::Cursor<Vec<u8>>>;

fn text(status: u16, message: &str) -> Bytes {
    let response = Response::from_string(message).with_status_code(StatusCode(status));
    headed(response, "text/plain; charset=utf-8")
}

fn headed(response: Bytes, kind: &str) -> Bytes {
    with(with(response, "Content-Type", kind), "Cache-Control", "no-cache")
}

fn with(response: Bytes, name: &str, value: &str) -> Bytes {
    match Header::from_bytes(name, value) {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Write, net::TcpStream, thread};

    use super::*;

    fn nothing() -> Gzipped {
        Box::new(|_| None)
    }

    /// A page as the build script lays it out, looked up as in the program.
    fn staged() -> Gzipped {
        let place = tempfile::tempdir().unwrap();
        let (page, to) = (place.path().join("dist"), place.path().join("page"));
        fs::create_dir_all(page.join("pkg")).unwrap();
        fs::write(page.join(INDEX), "<title>page</title>").unwrap();
        fs::write(page.join("pkg/a_bg.wasm"), "code".repeat(99)).unwrap();
        fs::create_dir_all(to.join("old")).unwrap();
        page::stage(&page, &to).unwrap();
        assert!(!to.join("old").exists());
        let files = ["index.html.gz", "pkg/a_bg.wasm.gz"]
            .map(|path| (path.to_owned(), fs::read(to.join(path)).unwrap()));
        let files = HashMap::from(files);
        Box::new(move |path| files.get(path).cloned().map(Cow::Owned))
    }

    fn get(address: SocketAddr, path: &str, header: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        write!(stream, "{head}{header}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
    }

    #[test]
    fn only_files_below_the_folder_are_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap().join("site");
        fs::create_dir_all(root.join("rooms")).unwrap();
        fs::write(root.join("index.html"), "page").unwrap();
        fs::write(root.join("rooms/a.js"), "").unwrap();
        fs::write(place.path().join("secret"), "").unwrap();
        let Page::Folder(found) = Page::find(Some(&root), staged()).unwrap() else {
            panic!("a folder that was given is not served")
        };
        assert_eq!(found, root);
        let page = Page::Folder(root);
        let file = |url| page.file(url, true).unwrap().map(|found| found.bytes);
        assert_eq!(file("/").unwrap(), b"page");
        assert_eq!(file("/rooms/a.js?v=1").unwrap(), b"");
        for url in ["/../secret", "//etc/passwd", "/rooms/../../secret", "/none", "/rooms"] {
            assert_eq!(file(url), None, "{url}");
        }
    }

    #[test]
    fn without_a_page_the_ways_to_one_are_named() {
        let error = Page::find(None, nothing()).err().unwrap().to_string();
        for way in ["wasm-demo/build.sh", "build the program again", "--dir"] {
            assert!(error.contains(way), "{error}");
        }
        assert!(matches!(Page::find(None, staged()), Ok(Page::Inside(_))));
    }

    #[test]
    fn the_page_inside_is_served_gzipped_to_those_who_take_it() {
        let page = Page::Inside(staged());
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.server_addr().to_ip().unwrap();
        thread::spawn(move || {
            loop {
                page.answer_next(&server);
            }
        });
        let (head, body) = get(address, "/?a", "");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/html"), "{head}");
        assert!(!head.contains("Content-Encoding"), "{head}");
        assert_eq!(body, b"<title>page</title>");
        let path = "/pkg/a_bg.wasm";
        for accepts in ["br, gzip", "GZIP;q=0.5"] {
            let (head, body) = get(address, path, &format!("Accept-Encoding: {accepts}\r\n"));
            assert!(head.contains("Content-Encoding: gzip"), "{head}");
            assert!(head.contains("Content-Type: application/wasm"), "{head}");
            assert!(body.len() < 4 * 99);
            let mut plain = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut plain).unwrap();
            assert_eq!(plain, "code".repeat(99));
        }
        for accepts in ["br", "gzip;q=0", "identity"] {
            let (head, body) = get(address, path, &format!("Accept-Encoding: {accepts}\r\n"));
            assert!(!head.contains("Content-Encoding"), "{head}");
            assert_eq!(body, "code".repeat(99).as_bytes());
        }
        for path in ["/pkg", "/../page/index.html", "/none"] {
            assert!(get(address, path, "").0.starts_with("HTTP/1.1 404"), "{path}");
        }
    }
}
