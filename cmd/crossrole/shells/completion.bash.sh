# What the package bash-completion has, for a bash without it: the words of the line, not split at = and :, and files.
__crossrole_words() {
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local i word blank rest="$COMP_LINE" after="${COMP_LINE:COMP_POINT}"
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word="${COMP_WORDS[i]}" blank="${rest%%[![:space:]]*}"
        rest="${rest#"$blank"}"
        rest="${rest#"$word"}"
        if ((i > 0)) && [[ -z $blank ]]; then
            words[${#words[@]}-1]+="$word"
        else
            words+=("$word")
        fi
        if ((i == COMP_CWORD)); then cword=$((${#words[@]} - 1)); fi
    done
    cur="${words[cword]}" prev=''
    cur="${cur%"${after%%[[:space:]]*}"}"
    if ((cword > 0)); then prev="${words[cword-1]}"; fi
}
__crossrole_files() {
    if declare -F _filedir >/dev/null 2>&1; then
        _filedir "$@"
        return
    fi
    local kind=-f file
    if [[ ${1-} == -d ]]; then kind=-d; fi
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen "$kind" -- "$cur")
    if [[ $(type -t compopt) == builtin ]]; then compopt -o filenames; fi
}

