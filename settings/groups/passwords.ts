import { z } from "zod";
import { setting } from "../documentation.ts";
import { wholeNumber } from "../values.ts";

const counter = () => wholeNumber(0, 2147483647).default(0);

/** The roles' passwords. They are generated and never stand in the config. */
export const passwordKeys = {
  passwordLength: setting(
    wholeNumber(16, 128, "characters").default(32),
    "Characters of each generated password.",
    {
      group: "Passwords",
      fallback: "32",
      example: "48",
      caution: "A change makes all three passwords anew, and the old ones are refused.",
    },
  ),
  rotations: setting(
    z
      .strictObject(
        { administrator: counter(), application: counter(), readonly: counter() },
        { error: 'a map such as {"application": 1}' },
      )
      .prefault({}),
    "A number for each kind of role (administrator, application, readonly). Raise it to give that role a new password.",
    {
      group: "Passwords",
      fallback: "{administrator: 0, application: 0, readonly: 0}",
      example: "{application: 1}",
      caution: "The old password is refused as soon as the new one is set; open connections stay.",
      structured: true,
      common: true,
    },
  ),
};
