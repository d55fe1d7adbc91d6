# The prompt: (profile time-left), red and with a ! under ten minutes. No process is started for it.
zmodload zsh/datetime
typeset -g __crossrole_end_text='' __crossrole_end=0
__crossrole_time() {
    emulate -L zsh
    local match mbegin mend
    __crossrole_end_text="$1" __crossrole_end=0
    [[ "$1" =~ '^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+]00:?00)$' ]] || return 0
    local -i y=$((10#$match[1])) m=$((10#$match[2])) d=$((10#$match[3])) h=$((10#$match[4])) min=$((10#$match[5])) s=$((10#$match[6]))
    # Days since 1970, in a year that begins in March.
    if (( m > 2 )); then (( m -= 3 )); else (( m += 9, y -= 1 )); fi
    __crossrole_end=$(( (365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 719469) * 86400 + h * 3600 + min * 60 + s ))
}
# The texts go into psvar, whose values the prompt shows as they are.
__crossrole_prompt() {
    emulate -L zsh
    local -i left
    local name
    psvar[91]='' psvar[92]=''
    if [[ -n "${CROSSROLE_PROFILE-}" ]]; then
        name="${CROSSROLE_PROFILE//[^[:print:]]/?}"
        [[ "${AWS_CREDENTIAL_EXPIRATION-}" == "$__crossrole_end_text" ]] || __crossrole_time "${AWS_CREDENTIAL_EXPIRATION-}"
        (( left = __crossrole_end - EPOCHSECONDS ))
        if (( __crossrole_end == 0 )); then
            psvar[91]="($name) "
        elif (( left <= 0 )); then
            psvar[92]="($name expired!) "
        elif (( left < 600 )); then
            psvar[92]="($name $((left / 60))m!) "
        elif (( left < 3600 )); then
            psvar[91]="($name $((left / 60))m) "
        else
            psvar[91]="($name $((left / 3600))h$((left / 60 % 60))m) "
        fi
    fi
    # For starship, whose modules read the environment: see crossrole init starship.
    if [[ -n "${STARSHIP_SHELL-}" ]]; then export CROSSROLE_LEFT="$psvar[91]" CROSSROLE_SOON="$psvar[92]"; fi
}
if [[ -z "${precmd_functions[(r)__crossrole_prompt]-}" ]]; then
    precmd_functions=(__crossrole_prompt $precmd_functions)
    if [[ -n "${NO_COLOR-}" || "${TERM-}" == dumb ]]; then
        PROMPT="%91v%92v${PROMPT-}"
    else
        PROMPT="%F{green}%91v%f%B%F{red}%92v%f%b${PROMPT-}"
    fi
fi
