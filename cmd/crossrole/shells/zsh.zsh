# Printed by `crossrole init zsh`. In ~/.zshrc, after compinit:  eval "$(crossrole init zsh)"
__crossrole() { command @crossrole@ "$@"; }
__crossrole_restore() {
    emulate -L zsh
@restore@
}
assume() {
    emulate -L zsh
    local crossrole_word crossrole_code crossrole_from="${CROSSROLE_PROFILE-}"
    for crossrole_word in "$@"; do
        case "$crossrole_word" in
        --) break ;;
        # What these print is not for this shell to run.
        -h | --help | --dry-run* | --format* | --show* | --write-profile*)
            __crossrole assume "$@"
            return
            ;;
        esac
    done
    if [ "$#" -eq 0 ]; then
        crossrole_word="$(__crossrole pick)" || return
        set -- -- "$crossrole_word"
    elif [ "$1" = - ]; then
        if [ -z "${CROSSROLE_PREVIOUS-}" ]; then
            echo 'assume: there is no previous profile' >&2
            return 3
        fi
        shift
        set -- "$@" -- "$CROSSROLE_PREVIOUS"
    fi
    crossrole_code=
    if [ "${1-}" != --unset ]; then
        # In the environment of before: a session decides nothing about the next one.
        crossrole_code="$(__crossrole_restore && __crossrole assume --format=env --dry-run=false --write-profile= "$@")" || return
    fi
    __crossrole_restore
    eval "$crossrole_code"
    if [ -n "$crossrole_from" ] && [ "$crossrole_from" != "${CROSSROLE_PROFILE-}" ]; then
        typeset -g CROSSROLE_PREVIOUS="$crossrole_from"
    fi
}
__crossrole_complete() {
    local line name
    local -a found
    for line in "${(@f)$(__crossrole __complete assume "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ "$line" == :<-> || -z "$line" ]] && continue
        name="${line%%$'\t'*}"
        if [[ "$line" == *$'\t'* ]]; then
            found+=("${name//:/\\:}:${line#*$'\t'}")
        else
            found+=("${name//:/\\:}")
        fi
    done
    [[ "$PREFIX" == -* ]] && found+=('--unset:bring back what was there before')
    _describe -t profiles profile found
}
if (( $+functions[compdef] )); then
    compdef __crossrole_complete assume
fi
