// The TypeScript SDK as one script, for pages that have no bundler.
export * from "../../../client/js/src/index.ts";
