;! title    = "interface call without an indirect branch: a retpoline, as Go -spectre=ret has it"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: mitigations"

; Against attacks through the predictor of indirect branches: the call goes to a stub that puts the target
; in the place of its own return address and returns there. The predictor of returns expects the loop
; behind the stub's call, so every call is mispredicted, to one target as to many.

body:                                   ; rax = itab, rbx = data
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        call "runtime.retpolineCX"

func "runtime.retpolineCX":
        call target
wait:   pause                           ; where the processor waits in vain
        jmp  wait
target: mov  [rsp], rcx
site:   ret

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
