import { createHash } from 'node:crypto';

export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
}

/** The style of every page. */
export const css = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --ink: #16181d; --soft: #5b6270; --line: #dfe2e8; --field: #ffffff;
  --accent: #0f5bd7; --accent-ink: #ffffff; --accent-deep: #0b469f; --bad: #a5141e; --bad-ground: #fdecec;
  --good: #14683c; --good-ground: #e7f5ec; --ring: #0f5bd766; --chip: #eef1f6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1115; --card: #181b21; --ink: #eceef2; --soft: #a0a7b4; --line: #2c313b; --field: #11141a;
    --accent: #6aa5ff; --accent-ink: #07152b; --accent-deep: #8dbaff; --bad: #ff9a9a; --bad-ground: #331a1d;
    --good: #7ddba5; --good-ground: #14291d; --ring: #6aa5ff66; --chip: #232833;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Open Sans", sans-serif;
}
main { flex: 1; width: 100%; max-width: 27rem; margin: 0 auto; padding: clamp(1.5rem, 8vh, 6rem) 1.25rem 2rem; }
body.wide main { max-width: 46rem; padding-top: clamp(1.5rem, 4vh, 3rem); }
.brand { display: flex; align-items: center; gap: .6rem; margin: 0 0 1.25rem; font-weight: 650; letter-spacing: -.01em; }
.brand svg { width: 1.75rem; height: 1.75rem; color: var(--accent); flex: none; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.75rem;
  box-shadow: 0 1px 2px #0000000a, 0 8px 24px #0000000a;
}
.card + .card { margin-top: 1.25rem; }
h1 { margin: 0 0 .35rem; font-size: 1.45rem; line-height: 1.25; letter-spacing: -.015em; }
h2 { margin: 0 0 .9rem; font-size: 1.05rem; line-height: 1.3; }
p { margin: 0 0 1rem; }
.soft { color: var(--soft); }
.lead { color: var(--soft); margin-bottom: 1.4rem; }
label { display: block; margin: 0 0 .35rem; font-weight: 550; }
input[type="text"], input[type="password"] {
  width: 100%; margin: 0 0 1.1rem; padding: .68rem .8rem; font: inherit; color: inherit; background: var(--field);
  border: 1px solid #8a91a0; border-radius: 9px;
}
input[aria-invalid="true"] { border-color: var(--bad); }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; padding: .68rem 1.1rem; font: inherit; font-weight: 600;
  color: var(--accent-ink); background: var(--accent); border: 1px solid transparent; border-radius: 9px; cursor: pointer;
  text-decoration: none;
}
button:hover, .button:hover { background: var(--accent-deep); }
button.full { width: 100%; margin-top: .25rem; }
button.quiet { color: var(--ink); background: transparent; border-color: var(--line); padding: .4rem .8rem; font-weight: 550; font-size: .95rem; }
button.quiet:hover { background: var(--chip); }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--ring); outline-offset: 2px; }
input:focus-visible { outline-offset: 0; border-color: var(--accent); }
.notice { margin: .9rem 0 1.25rem; padding: .75rem .9rem; border-radius: 9px; border-left: 4px solid currentColor; }
.notice.bad { color: var(--bad); background: var(--bad-ground); }
.notice.good { color: var(--good); background: var(--good-ground); }
.notice p { margin: 0; } .notice p + p { margin-top: .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .55rem 1.25rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.list { list-style: none; margin: 0; padding: 0; }
.list li { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: .8rem 0; border-top: 1px solid var(--line); }
.list li:first-child { border-top: 0; padding-top: 0; } .list li:last-child { padding-bottom: 0; }
.list form { flex: none; }
.what { min-width: 0; } .what strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
.what span { display: block; color: var(--soft); font-size: .92rem; overflow-wrap: anywhere; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0; padding: 0; list-style: none; }
.chip { white-space: nowrap; }
.chips li, .chip { padding: .18rem .6rem; background: var(--chip); border-radius: 999px; font-size: .9rem; }
.head { display: flex; align-items: center; justify-content: space-between; gap: 1rem; margin-bottom: 1.25rem; }
.head .brand { margin: 0; }
.actions { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0; }
.actions .quiet { color: var(--ink); background: transparent; border-color: var(--line); }
.actions .quiet:hover { background: var(--chip); }
.plain { list-style: none; margin: 0; padding: 0; }
textarea {
  width: 100%; min-height: 5.5rem; margin: 0 0 .35rem; padding: .68rem .8rem; font: inherit; color: inherit;
  background: var(--field); border: 1px solid #8a91a0; border-radius: 9px; resize: vertical;
}
textarea:focus-visible { outline-offset: 0; border-color: var(--accent); }
pre { margin: 0; padding: .7rem .85rem; background: var(--chip); border-radius: 9px; white-space: pre-wrap; overflow-wrap: anywhere; }
.hint { margin: 0; color: var(--soft); font-size: .92rem; } .after { margin-top: 1.1rem; }
.row { display: flex; align-items: center; gap: 1rem; }
.avatar {
  flex: none; display: grid; place-items: center; width: 3.25rem; height: 3.25rem; border-radius: 50%; font-weight: 650;
  font-size: 1.15rem; color: var(--accent-ink); background: var(--accent);
}
.row h1, .row p { margin: 0; overflow-wrap: anywhere; }
.person { margin-bottom: 1.4rem; }
footer { padding: 1rem 1.25rem 1.5rem; text-align: center; color: var(--soft); font-size: .88rem; }
@media (max-width: 30rem) {
  .card { padding: 1.35rem 1.15rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .8rem; } dd:last-child { margin: 0; }
  .list li { align-items: flex-start; }
}
@media (forced-colors: active) { .card, button { border-color: ButtonBorder; } }
`;

const script = `document.forms[0].submit();\n`;

function asset(name: string, extension: string, contentType: string, text: string): Asset {
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, 16);
  return { path: `/assets/${name}-${digest}.${extension}`, contentType, text };
}

export const stylesheet = asset('lockstep', 'css', 'text/css; charset=utf-8', css);
/** Sends the one form of a page on; for `response_mode=form_post`. */
export const submitScript = asset('submit', 'js', 'text/javascript; charset=utf-8', script);

/** Named by their content, so they may be kept for ever. */
export const assets: readonly Asset[] = [stylesheet, submitScript];
