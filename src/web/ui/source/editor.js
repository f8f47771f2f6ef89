// The editor: a text, what is wrong with it at its lines and columns, and the line that belongs to the code beside.
//
// Correct means: what is marked is what was said of the text that stands there; another text has marks of its own.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { language } from "./language.js";

const toLink = StateEffect.define();

// The line that belongs to what is pointed at.
const linked = StateField.define({
  create: () => Decoration.none,
  update(marks, change) {
    let now = marks.map(change.changes);
    for (const effect of change.effects.filter((one) => one.is(toLink))) {
      const line = lineOf(change.state.doc, effect.value);
      now = line ? Decoration.set([Decoration.line({ class: "linked" }).range(line.from)]) : Decoration.none;
    }
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// A browser that puts what is typed in place of something keeps the colours of that, as styles which the policy of this
// page forbids. So it is not the browser that does.
const typed = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const isOver = event.inputType === "insertText" && !view.composing && !view.state.selection.main.empty;
    if (!isOver || typeof event.data !== "string") return false;
    event.preventDefault();
    const change = view.state.replaceSelection(view.state.toText(event.data));
    view.dispatch(change, { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

const lineOf = (text, number) => (number >= 1 && number <= text.lines ? text.line(number) : null);

// A place in a line, which is counted in characters from 1; an editor counts in halves of them.
function placeIn(line, column) {
  let at = 0;
  for (const character of line.text) {
    if (column <= 1) break;
    at += character.length;
    column -= 1;
  }
  return line.from + Math.min(at, line.length);
}

// What the editor marks: of a line that came out of an expansion the whole template's line, for columns count in the
// expansion.
function mark(text, one) {
  const line = lineOf(text, Math.min(Math.max(one.line || 1, 1), text.lines));
  const isWhole = !one.column || one.origin;
  const from = isWhole ? line.from : placeIn(line, one.column);
  const to = isWhole ? line.to : placeIn(line, one.column + (one.width || 1));
  const message = one.help ? `${one.message}\n${one.help}` : one.message;
  return { from: Math.min(from, to), to, severity: "error", message };
}

export class Editor {
  // `heeds.edited()` is told of each edit, `heeds.moved(line)` of where the cursor goes.
  constructor(parent, heeds) {
    const told = EditorView.updateListener.of((update) => {
      if (update.docChanged) heeds.edited();
      if (update.selectionSet || update.docChanged) heeds.moved(this.line());
    });
    this.extensions = [
      lineNumbers(),
      lintGutter(),
      history(),
      linked,
      typed,
      language,
      syntaxHighlighting(classHighlighter),
      keymap.of([indentWithTab, ...defaultKeymap, ...historyKeymap]),
      EditorState.tabSize.of(8),
      EditorView.contentAttributes.of({ "aria-label": "Template text", spellcheck: "false", autocapitalize: "off" }),
      // The policy of this page admits no other style than that of who knows this.
      EditorView.cspNonce.of(document.querySelector("script[nonce]").nonce),
      told,
    ];
    this.view = new EditorView({ parent, state: this.fresh("") });
  }

  // A text by itself, with a history and marks of its own.
  fresh(text) {
    return EditorState.create({ doc: text, extensions: this.extensions });
  }

  get state() {
    return this.view.state;
  }

  set state(state) {
    this.view.setState(state);
  }

  get text() {
    return this.view.state.doc.toString();
  }

  line() {
    const { doc, selection } = this.view.state;
    return doc.lineAt(selection.main.head).number;
  }

  // Marks what is wrong.
  mark(wrong) {
    const text = this.view.state.doc;
    const marks = wrong.map((one) => mark(text, one)).sort((one, other) => one.from - other.from);
    this.view.dispatch(setDiagnostics(this.view.state, marks));
  }

  link(line) {
    this.view.dispatch({ effects: toLink.of(line) });
  }

  // Goes to a line.
  go(number) {
    const line = lineOf(this.view.state.doc, number);
    if (!line) return;
    this.view.dispatch({ selection: { anchor: line.from, head: line.to }, scrollIntoView: true });
    this.view.focus();
  }
}
