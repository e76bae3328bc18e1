/** The session in a worker: one message in, `{id, name, args}`; one out, `{id, value | error}`. */
import { createSession, messageOf, transferables } from "./session.js";

const session = createSession();

addEventListener("message", async ({ data: { id, name, args } }) => {
  try {
    const value = await session(name, ...args);
    postMessage({ id, value }, { transfer: transferables(value) });
  } catch (error) {
    postMessage({ id, error: messageOf(error) });
  }
});

// Tells the page that the module and what it imports have loaded.
postMessage({ id: 0, value: "loaded" });
