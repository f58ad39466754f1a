/** Files that are built into the program as text. */
declare module "*.css" {
  const text: string
  export = text
}
declare module "*/pageScript.js" {
  const text: string
  export = text
}
declare module "*/kit.js" {
  const text: string
  export = text
}
declare module "*/consoleScript.js" {
  const text: string
  export = text
}
