;! title    = "call of the wrapper that makes a value method callable through a pointer"
;! heap     = "pointer"
;! types    = "main.Adder"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], receiver = ["given", "nil"], recover = [false, true], method = ["inlined", "called"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; For a value method `Adder.Add` the compiler also writes `(*Adder).Add`, because an interface can
; only hold a pointer. That wrapper checks the receiver for nil and copies it. What follows is the method
; itself where it is small (method=inlined), or a call of it, and then the stack is checked first. A nil receiver goes to runtime.panicwrap, which finds the names for its message
; in the symbol of its caller; `-p receiver=nil -p recover=true` times the way there and back.
;
; The wrapper is that of go/wrapper.asm, which says what each step is for; `dispatchlab show wrapper_call`
; prints it.

{% import "go/wrapper.asm" as go %}
body:                                   ; rax = *Adder
{% if abi == "register" %}
site:   call "main.(*Adder).Add"
{% else %}
        mov  [rsp], rax                 ; the stack ABI: arguments from rsp upwards
site:   call "main.(*Adder).Add"
        mov  eax, [rsp + 8]             ; and results behind them
{% endif %}

func "main.(*Adder).Add":
{{ go.inlined(1) if method == "inlined" else go.calling("main.Adder.Add") }}

{% if method == "called" %}
func "main.Adder.Add":
{% if abi == "register" %}
        add  eax, 1                     ; eax = Adder
{% else %}
        mov  eax, [rsp + 8]             ; [rsp + 8] = Adder
        add  eax, 1
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endif %}
