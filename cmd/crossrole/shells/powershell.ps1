# Printed by `crossrole init powershell`. In $PROFILE:
#   crossrole init powershell | Out-String | Invoke-Expression
function global:__crossrole_restore {
@restore@
}
function global:assume {
    foreach ($word in $args) {
        if ($word -eq '--') { break }
        # What these print is not for this shell to run.
        if ("$word" -match '^(-h$|--help$|--dry-run|--format|--show|--write-profile)') {
            & @crossrole@ assume @args
            return
        }
    }
    $from = $env:CROSSROLE_PROFILE
    $words = @($args)
    if ($words.Count -eq 0) {
        $name = & @crossrole@ pick
        if ($LASTEXITCODE -ne 0) { return }
        $words = @('--', $name)
    } elseif ($words[0] -eq '-') {
        if (-not $global:CROSSROLE_PREVIOUS) {
            Write-Error 'assume: there is no previous profile'
            return
        }
        $words = @($words | Select-Object -Skip 1) + @('--', $global:CROSSROLE_PREVIOUS)
    }
    # In the environment of before: a session decides nothing about the next one.
    $session = @{}
    $kept = @{}
    foreach ($name in @names@) { $session[$name] = [Environment]::GetEnvironmentVariable($name) }
    foreach ($name in @was@) {
        $variable = Get-Variable -Scope Global -Name $name -ErrorAction Ignore
        if ($variable) { $kept[$name] = $variable.Value }
    }
    __crossrole_restore
    if ($words[0] -ne '--unset') {
        $code = & @crossrole@ assume --format=powershell --dry-run=false --write-profile= @words | Out-String
        if ($LASTEXITCODE -ne 0) {
            foreach ($name in $session.Keys) { [Environment]::SetEnvironmentVariable($name, $session[$name]) }
            foreach ($name in $kept.Keys) { Set-Variable -Scope Global -Name $name -Value $kept[$name] }
            return
        }
        Invoke-Expression $code
    }
    if ($from -and $from -ne $env:CROSSROLE_PROFILE) { $global:CROSSROLE_PREVIOUS = $from }
}
Register-ArgumentCompleter -Native -CommandName assume -ScriptBlock {
    param($current, $line, $position)
    $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($current -eq '') { $words += '""' }
    & @crossrole@ __complete assume @words 2>$null | Where-Object { $_ -notmatch '^:\d+$' } | ForEach-Object {
        $name, $text = $_ -split "`t", 2
        if (-not $text) { $text = $name }
        $word = $name
        if ($name -match '[^\w./@%+-]') { $word = "'" + ($name -replace "(['\u2018-\u201b])", '$1$1') + "'" }
        [System.Management.Automation.CompletionResult]::new($word, $name, 'ParameterValue', $text)
    }
}
