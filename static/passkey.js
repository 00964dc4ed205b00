/* Passkeys: button[data-passkey] (the address that says what is to be signed) asks the person's device, and puts its answer into the
 * form beside it: assertion and challenge, or with data-passkey-new credential and made_for. Sending stays the person's own press. */
(() => {
  "use strict";
  const { alarm } = window.holdpoint;

  async function ask({ passkey, passkeyNew }) {
    const answer = await fetch(passkey, { headers: { Accept: "application/json" } }).catch(() => { throw new Error("The connection was lost."); });
    if (answer.redirected) throw new Error("Your sign-in has run out. Reload the page to sign in.");
    if (!answer.ok) throw new Error("What is shown here has changed. Reload the page and read it again.");
    const { publicKey, challenge } = await answer.json();
    const asked = passkeyNew === undefined
      ? () => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) })
      : () => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) });
    const made = await asked().catch((error) => {
      throw error.name === "SecurityError" ? new Error(`Passkeys work here only where the site is opened as ${publicKey.rp?.id ?? publicKey.rpId}.`) : error;
    });
    return [JSON.stringify(made.toJSON()), challenge];
  }

  const why = (error) => !window.isSecureContext ? "Passkeys need HTTPS, and this page came without it."
    : !window.PublicKeyCredential ? "This browser has no passkeys."
    : error.name === "NotAllowedError" ? "Your device did not confirm it." : error.message;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey]");
    if (!button) return;
    const { elements } = button.form;
    const isNew = "passkeyNew" in button.dataset;
    const note = button.closest("fieldset, form").querySelectorAll("[data-passkey-note]");
    const last = note[note.length - 1];
    try {
      const [made, challenge] = await ask(button.dataset);
      elements.namedItem(isNew ? "credential" : "assertion").value = made;
      elements.namedItem(isNew ? "made_for" : "challenge").value = challenge;
      (isNew ? last : note[0]).textContent = isNew ? "The passkey is made. Now press “Add the passkey”." : "Your device has confirmed it. Now send the form, within five minutes.";
    } catch (error) {
      alarm(why(error), "Nothing was recorded. Try again, or use your authenticator app.");
    }
  });
})();
