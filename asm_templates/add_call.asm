;! title    = "Add(10, 32): a function, and a method called in each of the ways that the compiler knows"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], call = ["function", "two_results", "pointer", "inferred", "deref", "wrapper"] }
;! result   = "eax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals I, Decomposing a simple program, and II, Function and method calls"

; The receiver is the book's only one, `Adder{id: 6754}`. It stands among the data here, where the book has
; it in the caller's frame: the same instructions with another address. The method uses its two
; arguments only.
;
; `function`: no receiver. `two_results`: a function with a second result, true, which the caller
; tests. `pointer`: the address of the receiver is the first argument. `inferred`: a value receiver
; that the compiler knows, so it is a constant; the stack ABI stores it and the first argument at once.
; `deref`: a value method called through a pointer, where the compiler sees the receiver: it loads the
; copy. `wrapper`: the same through `(*Adder).AddVal`, which copies receiver and arguments.
;
; Arguments that lie side by side in memory go there in one store: 0x200000000a is 10 and, in the upper
; half, 32.

{% import "go/frames.asm" as frames %}
{% set method = {"function": "main.Add", "two_results": "main.add", "pointer": "main.(*Adder).AddPtr",
                 "inferred": "main.Adder.AddVal", "deref": "main.Adder.AddVal", "wrapper": "main.(*Adder).AddVal"}[call] %}
body:
{% if abi == "register" %}
{% if call in ["function", "two_results"] %}
        mov  eax, 10
        mov  ebx, 32
{% else %}
{% if call == "pointer" %}
        lea  rax, ["main.adder"]
{% elif call == "inferred" %}
        mov  eax, 6754
{% elif call == "deref" %}
        mov  eax, ["main.adder"]
{% else %}
        mov  rax, ["main.p"]
{% endif %}
        mov  ebx, 10
        mov  ecx, 32
{% endif %}
site:   call "{{ method }}"
{% if call == "two_results" %}
        test bl, bl
        jne  done
        mov  eax, -1
done:
{% endif %}
{% else %}
{% if call in ["function", "two_results"] %}
        mov  rax, 0x200000000a
        mov  [rsp], rax
{% elif call == "inferred" %}
        mov  rax, 0xa00001a62           ; 6754 and 10
        mov  [rsp], rax
        mov  dword [rsp + 8], 32
{% elif call == "deref" %}
        mov  eax, ["main.adder"]
        mov  [rsp], eax
        mov  rax, 0x200000000a
        mov  [rsp + 4], rax
{% else %}
{% if call == "pointer" %}
        lea  rax, ["main.adder"]
{% else %}
        mov  rax, ["main.p"]
{% endif %}
        mov  [rsp], rax
        mov  rcx, 0x200000000a
        mov  [rsp + 8], rcx
{% endif %}
site:   call "{{ method }}"
{% if call == "two_results" %}
        mov  eax, [rsp + 8]
        cmp  byte [rsp + 12], 0
        jne  done
        mov  eax, -1
done:
{% elif call == "function" %}
        mov  eax, [rsp + 8]
{% else %}
        mov  eax, [rsp + 16]
{% endif %}
{% endif %}

{% if call == "wrapper" %}
func "main.(*Adder).AddVal":
{% if abi == "register" %}
{{ frames.enter(16) }}
{{ frames.panicking() }}
check:
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; the copy of the receiver
;! end
        call "main.Adder.AddVal"
{{ frames.leave(16) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
{{ frames.grow(["rax", "ebx", "ecx"]) }}
{{ frames.move_panic(16) }}
{% else %}
{{ frames.enter(24) }}
{{ frames.panicking() }}
check:  mov  rax, [rsp + 40]            ; the receiver
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; its copy
        mov  [rsp], eax
;! end
        mov  eax, [rsp + 48]            ; and that of the arguments, one by one
        mov  [rsp + 4], eax
        mov  eax, [rsp + 52]
        mov  [rsp + 8], eax
        call "main.Adder.AddVal"
        mov  eax, [rsp + 16]
        mov  [rsp + 56], eax
{{ frames.leave(24) }}
;! part nil-check
nil:    call "runtime.panicwrap"
        ud2
;! end
{{ frames.grow() }}
{{ frames.move_panic(24) }}
{% endif %}
{% endif %}

func "{{ 'main.Adder.AddVal' if call == 'wrapper' else method }}":
{% if abi == "register" %}
{% if call in ["function", "two_results"] %}
        add  eax, ebx
{% if call == "two_results" %}
        mov  ebx, 1
{% endif %}
{% else %}
        lea  eax, [rbx + rcx]
{% endif %}
{% else %}
{% set at = {"function": 8, "two_results": 8, "pointer": 16}[call] | default(12) %}
        mov  eax, [rsp + {{ at + 4 }}]
        mov  ecx, [rsp + {{ at }}]
        add  eax, ecx
        mov  [rsp + {{ 16 if at == 8 else 24 }}], eax
{% if call == "two_results" %}
        mov  byte [rsp + 20], 1
{% endif %}
{% endif %}
        ret

{% if call not in ["function", "two_results", "inferred"] %}
data "main.adder":
        dd   6754
data "main.p":                          ; var p = &adder
        dq   "main.adder"
{% endif %}

{% if call == "wrapper" %}
;! note what-if: no Go compiler from 1.10 on calls the wrapper here, all load the copy in the caller, as `call=deref` does
{% endif %}
