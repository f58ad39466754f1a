/** Files that are built into the program as text. */
declare module "*/page.css" {
  const text: string
  export = text
}
declare module "*/pageScript.js" {
  const text: string
  export = text
}
