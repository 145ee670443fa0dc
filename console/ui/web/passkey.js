// Forms with a challenge have an authenticator answer it: that makes a passkey, or logs in with one.
const forms = window.PublicKeyCredential?.parseCreationOptionsFromJSON ? document.querySelectorAll("form[data-challenge]") : [];

// What is to be asked comes from the server. A new passkey is for a user; a login is not known to be anybody's.
async function answer(form) {
  const body = new URLSearchParams(new FormData(form));
  const got = await fetch(form.dataset.challenge, { method: "POST", body });
  const asked = await got.json();
  if (asked.error) throw new Error(asked.error);
  const credential = asked.publicKey.user
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked.publicKey) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked.publicKey) });
  return JSON.stringify(credential);
}

const said = {
  NotAllowedError: "No passkey answered. Try again, or do it another way.",
  InvalidStateError: "This device has a passkey for you already.",
  SecurityError: "The browser makes passkeys only at the address that this server knows as its own.",
  TypeError: "The server does not answer. Try again.",
  SyntaxError: "The server gave no answer that can be read. Load the page again.",
};

function tell(form, text) {
  const note = form.querySelector(".note") ?? form.insertAdjacentElement("afterbegin", document.createElement("div"));
  note.className = "note bad";
  note.setAttribute("role", "alert");
  note.textContent = text;
}

for (const form of forms) {
  form.hidden = false;
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    try {
      form.elements.answer.value = await answer(form);
      form.submit();
    } catch (error) {
      tell(form, said[error.name] ?? error.message);
      delete form.dataset.sent;
    }
  });
}
for (const note of document.querySelectorAll("[data-no-passkeys]")) note.hidden = forms.length > 0;
