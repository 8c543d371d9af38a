/** The report's look: system fonts, light and dark, a table that becomes cards on a phone. */
export const reportStyle = `
:root{color-scheme:light dark;--ground:#f7f7f5;--card:#fff;--text:#1b1d1f;--soft:#5d646b;--line:#e2e2de;--good:#12714a;--bad:#b3261e;--warn:#8a5a00;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media(prefers-color-scheme:dark){:root{--ground:#15171a;--card:#1d2024;--text:#e9eaec;--soft:#9aa2ab;--line:#30353b;--good:#4cc38a;--bad:#ff8a80;--warn:#f0b64d}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:44px;line-height:1.1;margin:0 0 4px;letter-spacing:-.02em}h2{font-size:22px;margin:0 0 12px}h3{font-size:17px;margin:28px 0 8px}
code,pre,.excerpt td{font-family:var(--mono);font-size:13px;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--ground);padding:12px;border-radius:8px;max-height:420px;overflow:auto}
.verdict{display:flex;gap:20px;align-items:center;padding:28px;border-radius:16px;background:var(--card);border:1px solid var(--line);border-left:8px solid var(--bad)}
.verdict p{margin:0}.verdict div{min-width:0}.verdict .what{color:var(--soft);font-size:18px}.verdict .mark{font-size:56px;line-height:1;color:var(--bad);font-weight:700}
.verdict h1{color:var(--bad)}.verdict.match{border-left-color:var(--good)}.verdict.match h1,.verdict.match .mark{color:var(--good)}
.verdict.suspect{border-left-color:var(--warn)}.verdict.suspect h1,.verdict.suspect .mark{color:var(--warn)}
section{margin-top:24px;padding:24px;background:var(--card);border:1px solid var(--line);border-radius:16px}
.badge{font-size:14px;font-weight:600;padding:2px 10px;border-radius:999px;border:1px solid currentColor;color:var(--bad);vertical-align:3px}.badge.match{color:var(--good)}.badge.suspect{color:var(--warn)}
.artifact{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0 0 12px}.artifact dt{color:var(--soft)}.artifact dd{margin:0;min-width:0;overflow-wrap:anywhere}
.note{padding:10px 14px;border-left:4px solid var(--warn);background:var(--ground);border-radius:0 8px 8px 0;margin:10px 0}.note p{margin:0 0 4px}.note.good{border-left-color:var(--good)}.note.bad{border-left-color:var(--bad)}
table{width:100%;border-collapse:collapse;table-layout:fixed}th,td{text-align:left;vertical-align:top;padding:8px 10px;border-top:1px solid var(--line);overflow-wrap:anywhere}thead th{color:var(--soft);font-weight:500;border-top:0}
.dimensions tbody th{font-weight:600}.dimensions th:first-child{width:30%}.reason{display:block;color:var(--soft);font-weight:400;font-size:13px;margin-left:18px}
.dot{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px;background:var(--good)}.same .dot{background:none;border:2px solid var(--soft)}
.map{width:100%;height:72px;display:block;margin-top:8px}.map .file{fill:var(--line)}.map .mark{fill:var(--bad)}.map .s0{fill:var(--soft);opacity:.35}.map .s1{fill:var(--soft);opacity:.6}.map .hit{fill:var(--warn)}
.legend{display:flex;justify-content:space-between;gap:12px;color:var(--soft);font-size:13px;margin:4px 0 0}.legend span:first-child,.legend span:last-child{flex:none}.excerpt th{width:36px}
details{margin-top:20px}summary{cursor:pointer;color:var(--soft)}.runs th{width:22%}
footer{color:var(--soft);font-size:13px;margin-top:24px}footer code{font-size:12px}
@media(max-width:640px){main{padding:12px 10px 32px}h1{font-size:34px}.verdict{padding:18px;gap:14px}.verdict .mark{font-size:40px}section{padding:16px}
.dimensions thead{display:none}.dimensions tr{display:block;border-top:1px solid var(--line);padding:8px 0}.dimensions th,.dimensions th:first-child,.dimensions td{display:block;width:auto;border:0;padding:2px 0}.dimensions td::before{content:attr(data-side) " ";color:var(--soft);font-weight:600}.artifact{grid-template-columns:1fr}}
`;
