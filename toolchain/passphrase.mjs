/** Whether Pulumi has found a passphrase to be another one than a stack's settings were made with. */
export function isWrongPassphrase(/** @type {string} */ said) {
  return /incorrect passphrase/i.test(said);
}

/**
 * What to do about it.
 *
 * @param {string} stack
 */
export function wrongPassphrase(stack) {
  return (
    `Pulumi.${stack}.yaml was made with another passphrase than this checkout has (.pgstack/passphrase, or ` +
    "PULUMI_CONFIG_PASSPHRASE): bring that one here. Where the stack was never brought up, and its settings hold no " +
    "secret, remove the line encryptionsalt instead: a new one is made"
  );
}
