# The prompt: (profile time-left), red and with a ! under ten minutes. No process is started for it.
__crossrole_left='' __crossrole_soon='' __crossrole_end_text='' __crossrole_end=0
__crossrole_time() {
    __crossrole_end_text="$1" __crossrole_end=0
    [[ $1 =~ ^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+]00:?00)$ ]] || return 0
    local y=$((10#${BASH_REMATCH[1]})) m=$((10#${BASH_REMATCH[2]})) d=$((10#${BASH_REMATCH[3]}))
    local h=$((10#${BASH_REMATCH[4]})) min=$((10#${BASH_REMATCH[5]})) s=$((10#${BASH_REMATCH[6]}))
    # Days since 1970, in a year that begins in March.
    if ((m > 2)); then m=$((m - 3)); else m=$((m + 9)) y=$((y - 1)); fi
    __crossrole_end=$(((365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 719469) * 86400 + h * 3600 + min * 60 + s))
}
__crossrole_prompt() {
    local status=$? now='' left='' name
    __crossrole_left='' __crossrole_soon=''
    if [[ -n ${CROSSROLE_PROFILE-} ]]; then
        name="${CROSSROLE_PROFILE//[^[:print:]]/?}"
        [[ ${AWS_CREDENTIAL_EXPIRATION-} == "$__crossrole_end_text" ]] || __crossrole_time "${AWS_CREDENTIAL_EXPIRATION-}"
        if [[ -n ${EPOCHSECONDS-} ]]; then now=$EPOCHSECONDS; else printf -v now '%(%s)T' -1 2>/dev/null || now=''; fi
        if [[ -z $now || $__crossrole_end -eq 0 ]]; then
            __crossrole_left="($name) "
        elif ((left = __crossrole_end - now, left <= 0)); then
            __crossrole_soon="($name expired!) "
        elif ((left < 600)); then
            __crossrole_soon="($name $((left / 60))m!) "
        elif ((left < 3600)); then
            __crossrole_left="($name $((left / 60))m) "
        else
            __crossrole_left="($name $((left / 3600))h$((left / 60 % 60))m) "
        fi
    fi
    # For starship, whose modules read the environment: see crossrole init starship.
    if [[ -n ${STARSHIP_SHELL-} ]]; then export CROSSROLE_LEFT="$__crossrole_left" CROSSROLE_SOON="$__crossrole_soon"; fi
    return "$status"
}
case "${PROMPT_COMMAND[*]-}" in
*__crossrole_prompt*) ;;
*)
    if [[ ${BASH_VERSINFO[0]} -gt 5 || ${BASH_VERSINFO[0]} -eq 5 && ${BASH_VERSINFO[1]} -ge 1 ]]; then
        PROMPT_COMMAND=(__crossrole_prompt "${PROMPT_COMMAND[@]}")
    else
        PROMPT_COMMAND="__crossrole_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
    fi
    if [[ -n ${NO_COLOR-} || ${TERM-} == dumb ]]; then
        PS1='${__crossrole_left}${__crossrole_soon}'"${PS1-}"
    else
        PS1='\[\e[32m\]${__crossrole_left}\[\e[1;31m\]${__crossrole_soon}\[\e[0m\]'"${PS1-}"
    fi
    ;;
esac
