// How texts are coloured: Intel's, AT&T's and Go's syntax, and the header's lines.
//
// Correct means: what is a comment to the assembler has the colour of one, and a text that is half typed is coloured as
// far as it goes. The assembler alone says what is right.
import { StreamLanguage } from "@codemirror/language";

const REGISTER =
  /^%?(?:r(?:[abcd]x|[sd]i|[sbi]p|\d\d?[bwd]?)|e(?:[abcd]x|[sd]i|[sb]p)|[abcd][xlh]|[sd]il?|[sb]pl?|[xyz]mm\d\d?|k[0-7]|[cdefgs]s|st\d?|mm[0-7]|SB|FP|PC|SP|R\d\d?|X\d\d?|AX|BX|CX|DX|SI|DI|BP|g)(?![\w.])/i;
const SIZE = /^(?:byte|[dqo]?word|[xyz]mmword|tbyte|ptr|offset|rel|short|near)(?![\w.])/i;
const NUMBER = /^[$]?[-+]?(?:0x[0-9a-f_]+|0b[01_]+|[0-9][0-9a-f_]*h|\d+(?:\.\d+)?[bf]?)(?![\w.])/i;
const NAME = /^[\p{L}_.·∕$@%][\p{L}\p{N}_.·∕$@]*/u;

// The prefixes that stand in front of a mnemonic, which is still to come.
const PREFIX = /^(?:rep(?:n?[ez])?|lock|notrack|bnd|data16)$/i;

function token(stream, state) {
  if (stream.sol()) {
    state.begins = true;
    if (stream.match(/^\s*;!.*/)) return "meta";
  }
  if (state.within && !stream.eol()) {
    if (stream.match(/^.*?\*\//)) state.within = false;
    else stream.skipToEnd();
    return "comment";
  }
  if (stream.eatSpace()) return null;
  if (stream.match("{{") || stream.match("{%") || stream.match("{#")) {
    if (!stream.match(/^.*?[}%#]\}/)) stream.skipToEnd();
    return "meta";
  }
  if (stream.match("/*")) {
    state.within = true;
    return "comment";
  }
  if (stream.match("//") || stream.match(";") || stream.match(/^#(?!\w*\()/)) {
    stream.skipToEnd();
    return "comment";
  }
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return "string";
  if (state.begins && stream.match(/^[\p{L}_.·\d$@][\p{L}\p{N}_.·$@-]*(?:\(SB\))?:/u)) return "labelName";
  if (stream.match(NUMBER)) return "number";
  if (!state.begins && stream.match(REGISTER)) return "atom";
  if (!state.begins && stream.match(SIZE)) return "typeName";
  const word = stream.match(NAME);
  if (word) {
    if (!state.begins) return "variableName";
    state.begins = PREFIX.test(word[0]);
    return "keyword";
  }
  stream.next();
  return null;
}

export const language = StreamLanguage.define({
  name: "assembly",
  startState: () => ({ begins: true, within: false }),
  copyState: (state) => ({ ...state }),
  token,
  languageData: { commentTokens: { line: ";" } },
});
