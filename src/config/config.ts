/** The configuration as the program sees it: the TOML's tables and keys by their own names, checked and frozen. */
export interface Config {
  readonly env: "development" | "sandbox" | "production"
  readonly db: { readonly path: string; readonly key_file: string | undefined }
}
