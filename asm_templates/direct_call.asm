;! title    = "call of a function by name: the reference for ratios"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; A function with the receiver as its first argument. The register ABI passes it in rax and returns
; the result in rax. The stack ABI (up to Go 1.16) passes both in memory: the caller stores arguments
; from rsp upwards and finds the results behind them; to the callee all of it lies 8 bytes higher,
; above the return address. The callee calls nothing and needs no frame, so it has no prologue and
; never looks for g. These are the instructions of Go 1.27 and 1.10.

body:                                   ; rax = *T
{% if abi == "register" %}
site:   call "main.idOf"

func "main.idOf":
        mov  eax, [rax]
        add  eax, 1
        ret
{% else %}
        mov  [rsp], rax
site:   call "main.idOf"
        mov  eax, [rsp + 8]

func "main.idOf":                       ; [rsp + 8] = *T
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, 1
        mov  [rsp + 16], eax
        ret
{% endif %}
