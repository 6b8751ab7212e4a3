// Signs people in by passkeys (Web Authentication Level 3). Every address is relative to /admin/; texts come from the page itself.
"use strict";

const words = JSON.parse(document.getElementById("words").textContent);
const lang = document.documentElement.lang;
const at = id => document.getElementById(id);

/** Something to tell the person, in their words. */
class Told extends Error {
  constructor(text, type = "") {
    super(text);
    this.type = type;
  }
}

function show(id, text) {
  for (const other of ["wrong", "said"]) at(other).hidden = true;
  at(id).textContent = text;
  at(id).hidden = false;
}

async function call(path, body) {
  const asked = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let reply;
  try {
    reply = await fetch(`v1/${path}`, { ...asked, cache: "no-store", redirect: "error" });
  } catch {
    throw new Told(words.unreachable);
  }
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  let problem = {};
  try {
    problem = await reply.json();
  } catch { /* a proxy's answer, in no form of ours */ }
  if (reply.status >= 500 || !problem.title) throw new Told(`${words.fault} ${problem.request_id || reply.status}`);
  throw new Told(problem.says ? `${problem.title}: ${problem.says}` : `${problem.title}.`, problem.type);
}

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), each => each.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = list => (list || []).map(each => ({ ...each, id: bytes(each.id) }));

async function authenticator(ask) {
  if (!window.PublicKeyCredential || !navigator.credentials) throw new Told(words.no_passkeys);
  try {
    return await ask();
  } catch (error) {
    const said = { InvalidStateError: words.known_already, SecurityError: words.wrong_address, NotSupportedError: words.no_passkeys };
    throw new Told(said[error.name] || words.cancelled);
  }
}

/** Prove who one is: begin, ask the authenticator, finish. */
async function prove(path) {
  const { publicKey } = await call(`${path}/begin`, {});
  const options = { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: known(publicKey.allowCredentials) };
  const made = await authenticator(() => navigator.credentials.get({ publicKey: options }));
  const { clientDataJSON, authenticatorData, signature, userHandle } = made.response;
  return call(`${path}/finish`, {
    credential: {
      id: made.id, rawId: text(made.rawId), type: made.type,
      response: {
        clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
        ...(userHandle ? { userHandle: text(userHandle) } : {}),
      },
    },
  });
}

/** Make a passkey: begin, ask the authenticator, finish. */
async function make(path, beginning, name) {
  const { publicKey } = await call(`${path}/begin`, beginning);
  const options = {
    ...publicKey, challenge: bytes(publicKey.challenge), user: { ...publicKey.user, id: bytes(publicKey.user.id) },
    excludeCredentials: known(publicKey.excludeCredentials),
  };
  const made = await authenticator(() => navigator.credentials.create({ publicKey: options }));
  const { clientDataJSON, attestationObject } = made.response;
  return call(`${path}/finish`, {
    name,
    credential: {
      id: made.id, rawId: text(made.rawId), type: made.type,
      response: { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) },
    },
  });
}

/** Do it; if it takes a fresh proof of who one is, ask for that first. Who has no passkey proves it on a page of its own. */
async function confirmed(act) {
  try {
    return await act();
  } catch (error) {
    if (error.type !== "/problems/confirmation-required") throw error;
    if (!(await call("me")).passkeys.length) return location.assign("confirm");
    await prove("confirmation");
    return act();
  }
}

/** Have a button do something, once at a time, and say what went wrong. */
function does(button, act) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    at("wrong").hidden = true;
    try {
      await act();
    } catch (error) {
      if (error.type === "/problems/not-signed-in") return location.assign("sign-in");
      show("wrong", error instanceof Told ? error.message : words.fault);
    } finally {
      button.disabled = false;
    }
  });
}

/** Return what stands after # and take it out of the address bar and the history. */
function fragment() {
  const found = location.hash.slice(1);
  if (found) history.replaceState(null, "", location.pathname);
  return found;
}

const when = time => new Date(time).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });

function row(cells, act) {
  const line = document.createElement("tr");
  for (const cell of cells) line.insertCell().textContent = cell;
  const last = line.insertCell();
  if (act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words.end;
    does(button, act);
    last.append(button);
  }
  return line;
}

async function showSessions() {
  const [me, { items }] = [await call("me"), await call("sessions")];
  at("who").textContent = `${me.name} (${me.reference})`;
  at("roles").textContent = me.roles.map(role => words[`role_${role}`]).join(", ");
  at("expires").textContent = when(me.session.expires_at);
  const still = new Date(me.confirmed_until) > new Date();
  at("confirmed").textContent = still ? `${words.confirmed_until} ${when(me.confirmed_until)}.` : words.not_confirmed;
  at("sessions").tBodies[0].replaceChildren(...items.map(each => row(
    [
      [words[`method_${each.method}`], each.address, each.user_agent, each.current ? `(${words.this_one})` : null].filter(Boolean).join(" · "),
      when(each.created_at), when(each.seen_at),
    ],
    each.current ? null : async () => { await call(`sessions/${each.id}/end`, {}); await showSessions(); },
  )));
  at("end-others").hidden = items.length < 2;
  at("passkeys").tBodies[0].replaceChildren(...me.passkeys.map(each => row(
    [each.name, when(each.created_at), each.last_used_at ? when(each.last_used_at) : words.never],
    async () => { await confirmed(() => call(`me/passkeys/${each.id}/end`, {})); await showSessions(); },
  )));
  at("mine").hidden = false;
}

const pages = {
  "sign-in"() {
    does(at("go"), async () => {
      await prove("sign-in");
      location.assign("sessions");
    });
  },
  enrol() {
    const token = fragment();
    if (!token) {
      at("form").hidden = true;
      return show("wrong", words.no_link);
    }
    if (at("invitation")) {
      at("invitation").value = token;
      at("provider").addEventListener("submit", () => { at("code-too").value = at("code").value.trim(); });
    }
    does(at("go"), async () => {
      await make("enrolment", { token, code: at("code").value.trim() || null }, at("name").value);
      location.assign("sessions");
    });
  },
  confirm() {
    does(at("go"), async () => {
      await prove("confirmation");
      show("said", words.confirmed);
    });
  },
  async sessions() {
    does(at("sign-out"), async () => {
      await call("sign-out", {});
      location.assign("sign-in");
    });
    does(at("end-others"), async () => { await call("sessions/end-others", {}); await showSessions(); });
    does(at("add-passkey"), async () => {
      await confirmed(() => make("passkeys", {}, at("name").value));
      await showSessions();
    });
    await showSessions();
  },
  async "command-line"() {
    const code = fragment();
    if (!code) return show("wrong", words.no_link);
    const asking = await call("command-line/look", { code });
    for (const each of ["compare", "machine", "login"]) at(each).textContent = asking[each];
    at("asking").hidden = false;
    does(at("go"), async () => {
      const allow = () => confirmed(() => call("command-line/allow", { code }));
      try {
        await allow();
      } catch (error) {
        if (error.type !== "/problems/not-signed-in") throw error;
        await prove("sign-in");
        await allow();
      }
      at("asking").hidden = true;
      show("said", words.allowed);
    });
  },
};

Promise.resolve().then(() => pages[document.body.dataset.page]()).catch(error => {
  if (error.type === "/problems/not-signed-in") return location.assign("sign-in");
  show("wrong", error instanceof Told ? error.message : words.fault);
});
