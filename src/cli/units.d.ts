/** The files of systemd/ as text, embedded into the binary by the bundler. */
declare module "*.service" {
  const text: string
  export = text
}
declare module "*.timer" {
  const text: string
  export = text
}
declare module "*.conf" {
  const text: string
  export = text
}
