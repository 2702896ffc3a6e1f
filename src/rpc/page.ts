/** Of the element of a page's HTML that holds, as JSON, what the page is told before it has said anything; not every page has one. */
export const FIRST_MESSAGE_ID = "first-message";

/** What every page is told besides its own messages: how it is to look. */
export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
/** pc: as wide as it reads well; mobile: one narrow column. */
export const DISPLAY_FORMATS = ["pc", "mobile"] as const;
export type DisplayFormat = (typeof DISPLAY_FORMATS)[number];

export interface Appearance {
  theme: Theme;
  format: DisplayFormat;
}

/** Sent to every page when the appearance changes; the page's HTML carries it at first (data-theme, data-format). */
export interface AppearanceMessage extends Appearance {
  type: "appearance";
}
