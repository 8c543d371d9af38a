import{r as e,t}from"./commander-NcsnBUf0.js";import{t as n}from"./command-table-z1nJr3vB.js";import{c as r,x as i}from"./schemas-Dlcadems.js";const a=[`--help`,`--json`];function o(e,t){if(e===`fish`)return c(t);let n=s(t);return e===`bash`?n:`autoload -U +X bashcompinit && bashcompinit\n${n}`}function s(e){return`_twinseal() {
  local words current="\${COMP_WORDS[COMP_CWORD]}"
  case "\${COMP_WORDS[1]}" in
${e.map(e=>`    ${e.name}) words="${l(e).join(` `)}" ;;`).join(`
`)}
    *) words="" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${[...e.map(e=>e.name),`--help`,`--version`].join(` `)}"; fi
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -o default -F _twinseal twinseal
`}function c(e){return`${e.flatMap(e=>[`complete -c twinseal -n __fish_use_subcommand -f -a ${e.name} -d ${u(e.summary)}`,...l(e).map(t=>t.startsWith(`--`)?`complete -c twinseal -n '__fish_seen_subcommand_from ${e.name}' -l ${t.slice(2)}`:`complete -c twinseal -n '__fish_seen_subcommand_from ${e.name}' -f -a ${t}`)]).join(`
`)}\n`}function l(e){return[...new Set([...e.words,...e.flags,...a])]}function u(e){return`'${e.replaceAll(`'`,`\\'`)}'`}const d=[`bash`,`zsh`,`fish`],f=i({shell:r(d)});function p(n){return new t(`completion`).description(`Prints a completion script; put it where your shell looks for one.`).addArgument(new e(`<shell>`,`shell to print it for`).choices(d)).action(async e=>{let t=await n.parse(f,{shell:e}),r=o(t.shell,await m(n));n.json||n.print(r),n.finish({exitCode:0,code:`completion`,document:{shell:t.shell,script:r}})})}async function m(e){return Promise.all(n.map(async n=>{let r=n.name===`completion`?new t(`completion`):(await n.load())(e);return{name:n.name,summary:n.summary,words:r.commands.map(e=>e.name()),flags:[r,...r.commands].flatMap(e=>e.options.map(e=>e.long??e.flags))}}))}export{p as completionCommand};