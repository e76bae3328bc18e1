//! The browser demo: small frozen models in a web page. It has no code yet; the page, its exports and
//! the model side will live here.
