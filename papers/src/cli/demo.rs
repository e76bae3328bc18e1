//! `transduct demo`: the browser page, served to this machine alone.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::json;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use super::{Output, Status};

const EXAMPLES: &str = "\
Examples:
  wasm-demo/build.sh && transduct demo
      Builds the page, then serves it until Ctrl-C.
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
    #[arg(long, value_name = "DIR", default_value = BUILT)]
    dir: PathBuf,
    /// The port on the loopback address. By default one that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

pub(super) fn execute(args: &DemoArgs, output: &Output) -> Result<Status> {
    let dir = &args.dir;
    if !dir.join("index.html").is_file() {
        let dir = dir.display();
        bail!(
            "{dir}: has no index.html; build the page by `wasm-demo/build.sh`, or name its --dir"
        );
    }
    let root = dir.canonicalize().map_err(|e| anyhow!("{}: {e}", dir.display()))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = Server::http(address)
        .map_err(|e| anyhow!("port {}: {e}; give another --port", args.port))?;
    let url = format!("http://{}/", server.server_addr());
    output.answer(&json!({ "url": url }), format!("{url}\nCtrl-C ends it."))?;
    loop {
        // A request that cannot be read or answered is the browser's loss alone.
        if let Ok(Some(request)) = server.recv_timeout(PATIENCE) {
            let _ = answer(&root, request);
        }
    }
}

fn answer(root: &Path, request: Request) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(text(405, "only GET and HEAD are answered"));
    }
    let Some(path) = file(root, request.url()) else {
        return request.respond(text(404, "there is no such file"));
    };
    match fs::read(&path) {
        Ok(bytes) => {
            let kind = mime_guess::from_path(&path).first_or_octet_stream();
            let response = Response::from_data(bytes);
            request.respond(headed(response, kind.essence_str()))
        }
        Err(e) => request.respond(text(500, &e.to_string())),
    }
}

/// The file below `root` that `url` names; a folder's is its `index.html`.
fn file(root: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let mut found = root.join(path);
    if found.is_dir() {
        found.push("index.html");
    }
    // Without links and dots: nothing outside the folder is served.
    found.canonicalize().ok().filter(|found| found.starts_with(root) && found.is_file())
}

type Bytes = Response<std::io::Cursor<Vec<u8>>>;

fn text(status: u16, message: &str) -> Bytes {
    let response = Response::from_string(message).with_status_code(StatusCode(status));
    headed(response, "text/plain; charset=utf-8")
}

fn headed(response: Bytes, kind: &str) -> Bytes {
    [("Content-Type", kind), ("Cache-Control", "no-cache")]
        .into_iter()
        .filter_map(|(name, value)| Header::from_bytes(name, value).ok())
        .fold(response, Response::with_header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folder_are_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap().join("site");
        fs::create_dir_all(root.join("rooms")).unwrap();
        fs::write(root.join("index.html"), "page").unwrap();
        fs::write(root.join("rooms/a.js"), "").unwrap();
        fs::write(place.path().join("secret"), "").unwrap();
        assert_eq!(file(&root, "/"), Some(root.join("index.html")));
        assert_eq!(file(&root, "/rooms/a.js?v=1"), Some(root.join("rooms/a.js")));
        for url in ["/../secret", "//etc/passwd", "/rooms/../../secret", "/none", "/rooms"] {
            assert_eq!(file(&root, url), None, "{url}");
        }
    }
}
