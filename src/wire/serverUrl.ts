/** Checks the URLs of callback and event servers in the configuration. */
import { CosignerError } from "../errors.ts"

/** Returns the URL. Throws E-RSK-130 unless it is an absolute http or https URL without credentials and fragment. */
export function checkServerUrl(url: string): string {
  const bad = (problem: string) => new CosignerError("E-RSK-130", { url: url.split("@").at(-1) ?? "", problem })
  if (!URL.canParse(url)) throw bad("it is not an absolute URL")
  const parsed = new URL(url)
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") throw bad("only http and https are spoken")
  if (parsed.username !== "" || parsed.password !== "") throw bad("user and password do not belong into it")
  if (parsed.hash !== "") throw bad("a fragment does not belong into it")
  return url
}
