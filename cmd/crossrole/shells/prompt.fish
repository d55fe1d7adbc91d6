# The prompt: (profile time-left), red and with a ! under ten minutes. No process is started for it.
set -g __crossrole_end_text ''
set -g __crossrole_end 0
function __crossrole_time
    set -g __crossrole_end_text "$argv[1]"
    set -g __crossrole_end 0
    set -l part (string match -r '^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+]00:?00)$' -- "$argv[1]"); or return 0
    # Days since 1970, in a year that begins in March.
    set -l y (math $part[2])
    set -l m (math "$part[3] - 3")
    if test $m -lt 0
        set m (math "$m + 12")
        set y (math "$y - 1")
    end
    set -g __crossrole_end (math "(365 * $y + floor($y / 4) - floor($y / 100) + floor($y / 400) + floor((153 * $m + 2) / 5) + $part[4] - 719469) * 86400 + $part[5] * 3600 + $part[6] * 60 + $part[7]")
end
# The clock without a process: how old a file is, and since when.
function __crossrole_now
    set -l age (path mtime -R / 2>/dev/null); or return 1
    math (path mtime /) + $age
end
function __crossrole_prompt
    set -g __crossrole_left ''
    set -g __crossrole_soon ''
    if set -q CROSSROLE_PROFILE; and test -n "$CROSSROLE_PROFILE"
        set -l name (string replace -r -a '[[:cntrl:]]' '?' -- "$CROSSROLE_PROFILE" | string join '?')
        test "$AWS_CREDENTIAL_EXPIRATION" = "$__crossrole_end_text"; or __crossrole_time "$AWS_CREDENTIAL_EXPIRATION"
        set -l now (__crossrole_now)
        if test -z "$now"; or test $__crossrole_end -eq 0
            set -g __crossrole_left "($name) "
        else
            set -l left (math $__crossrole_end - $now)
            set -l minutes (math "floor($left / 60)")
            if test $left -le 0
                set -g __crossrole_soon "($name expired!) "
            else if test $left -lt 600
                set -g __crossrole_soon "($name "$minutes"m!) "
            else if test $left -lt 3600
                set -g __crossrole_left "($name "$minutes"m) "
            else
                set -g __crossrole_left "($name "(math "floor($minutes / 60)")h(math $minutes % 60)"m) "
            end
        end
    end
    # For starship, whose modules read the environment: see crossrole init starship.
    if set -q STARSHIP_SHELL
        set -gx CROSSROLE_LEFT $__crossrole_left
        set -gx CROSSROLE_SOON $__crossrole_soon
    end
end
if not functions -q __crossrole_fish_prompt
    functions -q fish_prompt; or function fish_prompt
        echo -n '> '
    end
    functions -c fish_prompt __crossrole_fish_prompt
    function fish_prompt
        set -l before $status
        __crossrole_prompt
        if set -q NO_COLOR; or test "$TERM" = dumb
            echo -n "$__crossrole_left$__crossrole_soon"
        else
            echo -n (set_color green)"$__crossrole_left"(set_color --bold red)"$__crossrole_soon"(set_color normal)
        end
        # The prompt's own $status is that of the command before it.
        __crossrole_status $before
        __crossrole_fish_prompt
    end
    function __crossrole_status
        return $argv[1]
    end
end
