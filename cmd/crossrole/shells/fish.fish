# Printed by `crossrole init fish`. In ~/.config/fish/config.fish:  crossrole init fish | source
function __crossrole
    command @crossrole@ $argv
end
function __crossrole_restore
@restore@
end
# In the environment of before: a session decides nothing about the next one. Only names go through env's arguments.
function __crossrole_before
    set -l hidden
    if set -q CROSSROLE_PROFILE
@before@
    end
    command env $hidden @crossrole@ $argv
end
function assume --description 'Use the credentials of an AWS profile in this shell'
    for word in $argv
        switch $word
            case --
                break
            # What these print is not for this shell to run.
            case -h --help '--dry-run*' '--format*' '--show*' '--write-profile*'
                __crossrole assume $argv
                return
        end
    end
    set -l from
    set -q CROSSROLE_PROFILE; and set from "$CROSSROLE_PROFILE"
    if not set -q argv[1]
        set -l name (__crossrole pick); or return
        set argv -- "$name"
    else if test "$argv[1]" = -
        if not set -q CROSSROLE_PREVIOUS
            echo 'assume: there is no previous profile' >&2
            return 3
        end
        set argv $argv[2..] -- "$CROSSROLE_PREVIOUS"
    end
    set -l code
    if test "$argv[1]" != --unset
        set code (__crossrole_before assume --format=fish --dry-run=false --write-profile= $argv); or return
    end
    __crossrole_restore
    printf '%s\n' $code | source
    if set -q from[1]; and test "$from" != "$CROSSROLE_PROFILE"
        set -gu CROSSROLE_PREVIOUS "$from"
    end
    return 0
end
function __crossrole_complete
    set -l words (commandline -opc)
    __crossrole __complete assume $words[2..] (commandline -ct) 2>/dev/null | string match -v -r '^:[0-9]+$'
end
complete -c assume -f -a '(__crossrole_complete)'
complete -c assume -l unset -d 'Bring back what was there before'
