import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileOf } from "./server.mjs";

test("a path inside the folder is found, and the bare base is its index", () => {
  assert.equal(fileOf("/site", "/a/b/", "/a/b/main.js?x=1"), join("/site", "main.js"));
  assert.equal(fileOf("/site", "/a/b/", "/a/b/"), join("/site", "index.html"));
});

test("escapes, other bases and malformed paths are refused", () => {
  for (const url of ["/a/b/../../etc/passwd", "/a/b/%2e%2e/%2e%2e/x", "/main.js", "/a/b/%00", "/a/b/%"]) {
    assert.equal(fileOf("/site", "/a/b/", url), undefined, url);
  }
});
