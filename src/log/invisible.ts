/** Characters that are invisible, or that change how their neighbours are displayed. */

/**
 * For a character class of a regular expression: line breaks, control and format characters (including bidi), and
 * characters that Unicode lets a font omit, such as Hangul fillers
 * (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point). The Braille blank looks the same.
 */
export const INVISIBLE = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800`;
