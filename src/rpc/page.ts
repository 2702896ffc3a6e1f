/** What every page is told besides its own messages: how it is to look. */
export type Theme = "auto" | "light" | "dark";
/** pc: as wide as it reads well; mobile: one narrow column. */
export type DisplayFormat = "pc" | "mobile";

export interface Appearance {
  theme: Theme;
  format: DisplayFormat;
}

/** Sent to every page when the appearance changes; the page's HTML carries it at first (data-theme, data-format). */
export interface AppearanceMessage extends Appearance {
  type: "appearance";
}
