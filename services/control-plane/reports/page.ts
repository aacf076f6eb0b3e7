import { Html, html } from './html.ts';

/** What a page of ours may do, as a Content-Security-Policy: show itself. It has no script; its styles, and those of its pictures, are in it. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const STYLE = new Html(`
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; color: #222; background: #fff; max-width: 1440px; margin: 0 auto; padding: 20px 24px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 10px; border-bottom: 1px solid #ddd; padding-bottom: 4px; }
p { margin: 4px 0; }
.faint { color: #5b5b5b; }
.warning { border-left: 4px solid #D55E00; background: #fdf1e8; padding: 8px 12px; margin: 12px 0; overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 18px 0; padding: 0; list-style: none; }
.cards li { border: 1px solid #ddd; border-radius: 6px; padding: 8px 14px; min-width: 120px; }
.cards b { display: block; font-size: 19px; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(620px, 100%), 1fr)); gap: 18px; }
figure { margin: 0; border: 1px solid #e4e4e4; border-radius: 6px; overflow-x: auto; align-self: start; }
figure svg { display: block; width: 100%; min-width: 560px; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; padding: 5px 14px 5px 8px; border-bottom: 1px solid #e8e8e8; vertical-align: top; }
thead th { border-bottom: 2px solid #bbb; white-space: nowrap; }
tbody th { font-weight: 600; }
td { overflow-wrap: anywhere; min-width: 150px; }
td.number { min-width: 0; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.differs { background: #fff3d6; }
tr.differs th::before { content: "≠\u00a0"; color: #a34700; }
td.top { font-weight: 700; }
td.top::after { content: " ★"; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
summary { cursor: pointer; padding: 6px 0; }
@media print { figure { break-inside: avoid; } details { display: block; } }
`);

/** A whole document around some content: self-contained, so it can be saved, sent and opened anywhere. */
export function renderPage({
  title,
  content,
  refreshSeconds,
}: {
  title: string;
  content: Html;
  /** How often a browser asks for it again; null: never. */
  refreshSeconds: number | null;
}): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${PAGE_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshSeconds === null ? null : html`<meta http-equiv="refresh" content="${refreshSeconds}">`}
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${content}
</body>
</html>
`.text;
}

/** A picture, as `drawSvg` makes it. */
export function figure(svg: string): Html {
  return html`<figure>${new Html(svg)}</figure>`;
}
