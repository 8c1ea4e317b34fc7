import { Argument } from "commander";
import type { CommandModule } from "../define.ts";

const scripts = {
  // `:` is a word break in bash, but part of NAME:TAG: the words are cut again without it.
  bash: `_uni() {
  local cur words cword
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : cur words cword
  else
    cur=\${COMP_WORDS[COMP_CWORD]} words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  local IFS=$'\\n'
  COMPREPLY=($(uni __complete -- "\${words[@]:1:cword}" 2>/dev/null | cut -f1))
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -o default -F _uni uni
`,
  zsh: `#compdef uni
_uni() {
  local -a lines values
  lines=("\${(@f)$(uni __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  lines=(\${lines:#})
  if (( \${#lines} == 0 )); then _files; return; fi
  values=("\${(@)lines//:/\\\\:}")
  values=("\${(@)values/$'\\t'/:}")
  _describe uni values
}
if [ "$funcstack[1]" = "_uni" ]; then _uni "$@"; else compdef _uni uni; fi
`,
  fish: `function __uni_complete
    set -l words (commandline -opc) (commandline -ct)
    uni __complete -- $words[2..-1] 2>/dev/null
end
complete -c uni -a '(__uni_complete)'
`,
} as const;

export const completion: CommandModule = {
  examples: [
    "uni completion bash > /etc/bash_completion.d/uni",
    "uni completion zsh > ~/.zfunc/_uni",
    "uni completion fish > ~/.config/fish/completions/uni.fish",
  ],
  define(command, act) {
    command.addArgument(new Argument("<shell>", "shell").choices(Object.keys(scripts))).action(
      act(async ({ out }, shell: keyof typeof scripts) => {
        const script = scripts[shell];
        await out.show({ shell, script }, { text: () => script });
      }),
    );
  },
};
