# Printed by `crossrole init bash`. In ~/.bashrc:  eval "$(crossrole init bash)"
__crossrole() { command @crossrole@ "$@"; }
__crossrole_restore() {
@restore@
}
assume() {
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
        CROSSROLE_PREVIOUS="$crossrole_from"
    fi
}
__crossrole_complete() {
    local line words current typed="${COMP_LINE:0:COMP_POINT}"
    read -r -a words <<<"$typed"
    case "$typed" in *[[:blank:]]) words+=('') ;; esac
    current="${words[${#words[@]} - 1]}"
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in :[0-9]*) continue ;; esac
        # Descriptions only where a list is shown (63 is readline's "?").
        if [ "${COMP_TYPE-}" = 63 ] && [ "$line" != "${line%%$'\t'*}" ]; then
            COMPREPLY+=("${line%%$'\t'*}  (${line#*$'\t'})")
        else
            printf -v line %q "${line%%$'\t'*}"
            COMPREPLY+=("$line")
        fi
    done < <(__crossrole __complete assume "${words[@]:1}" 2>/dev/null)
    if [[ -n $current && --unset == "$current"* ]]; then COMPREPLY+=(--unset); fi
    # Readline replaces only what stands after the last : or =.
    local head="${current%"${current##*[:=]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
}
complete -F __crossrole_complete assume
