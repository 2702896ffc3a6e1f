/** esbuild writes imported style sheets into one .css file beside the page's script. */
declare module "*.css";
